"""A reader of captchas in the fonts of ``font/``, trained by MXNet's own ``Module.fit``."""

import ocr_lib
from ocr_lib.mx import mx

recipe = ocr_lib.load_preset("captcha")
ocr_lib.save_recipe("reader", recipe)  # with it, ocr_lib.load reads what do_checkpoint writes
module = mx.mod.Module(ocr_lib.training_symbol(recipe), ["data"], ["label"])
module.fit(
    *ocr_lib.captchas(recipe, "font"),
    eval_metric=ocr_lib.text_metrics(recipe),
    optimizer="adam",
    optimizer_params={"learning_rate": recipe.training.learning_rate},
    initializer=mx.init.Xavier(),
    num_epoch=3,
    batch_end_callback=mx.callback.Speedometer(recipe.training.batch_size, 50),
    epoch_end_callback=mx.callback.do_checkpoint("reader"),
)
