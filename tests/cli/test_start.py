"""Options of training that say what a run begins with: alphabets and warm starts that are refused, and why."""

from pathlib import Path

import pytest

from ocr_lib.cli import quantize, train
from ocr_lib.files import sha256
from ocr_lib.recipe.settings import encode_json
from tests import original_example
from tests.cli.infer_command import write
from tests.small_network import files_of, mark_params, mark_recipe, save
from tests.toy import FONT


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Return the prefix of a run on digits."""
    return save(tmp_path_factory.mktemp("digits") / "ocr", mark_recipe(), mark_params(), (1, 2), (0.5, 1.0))


@pytest.fixture(scope="module")
def quantized(digits):
    """Return the prefix of its form of 8 bits."""
    images = Path(digits).parent / "images"
    for index, text in enumerate(["0089", "31415", "7", "926"]):
        write(images / f"{index}.png", text, zoom=1)
    few = ["--num-calib=2", "--num-test=2"]
    assert quantize.main([f"--prefix={digits}", f"--samples={images}", *few]) == 0
    return f"{digits}-int8"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the prefix of a checkpoint of MXNet's example."""
    prefix = tmp_path_factory.mktemp("original") / "ocr"
    original_example.save(prefix)
    return str(prefix)


@pytest.fixture
def refused(capsys, tmp_path):
    """Run the command, which must be refused before it writes anything; return its one line."""

    def refused(*arguments, font=FONT, prefix=tmp_path / "new" / "ocr"):
        sources = [str(font)] if font else []
        assert train.main([*sources, f"--prefix={prefix}", "--num_proc=1", "--cpu=1", *map(str, arguments)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert not (tmp_path / "new").exists()
        assert "error: " in line and "unexpected" not in line
        return line

    return refused


class TestAlphabet:
    def test_is_given_once(self, refused):
        line = refused("--alphabet", "hex", "--set", "text.alphabet=ab")
        assert "give either --alphabet, or --set text.alphabet" in line

    def test_neither_a_set_nor_a_file(self, refused):
        assert "--alphabet none: no such file, nor one of the sets digits, hex, " in refused("--alphabet", "none")

    def test_a_file_at_fault(self, refused, tmp_path):
        (tmp_path / "signs.txt").write_text("a\tb")
        assert f"{tmp_path}/signs.txt: line 1 has the control character" in refused(f"--alphabet={tmp_path}/signs.txt")

    def test_that_the_fonts_lack(self, refused, tmp_path):
        (tmp_path / "signs.txt").write_text("a\u4e00")
        assert "'\u4e00'" in refused(f"--alphabet={tmp_path}/signs.txt")

    def test_of_a_run_that_goes_on(self, refused, digits):
        assert "text.alphabet can't change" in refused("--resume", "--alphabet", "hex", prefix=digits)


class TestOptions:
    @pytest.mark.parametrize("option", ["--pretrained-policy=resume", "--alphabet-change=union"])
    def test_that_go_with_pretrained(self, refused, option):
        assert f"{option.partition('=')[0]} goes with --pretrained" in refused(option)

    def test_resume_at_the_prefix_or_from_another(self, refused, digits):
        line = refused("--resume", f"--pretrained={digits}")
        assert "leave out --pretrained, or --resume" in line

    @pytest.mark.parametrize("option", ["--overwrite", "--preset=captcha"])
    def test_a_run_that_goes_on_is_as_it_is(self, refused, digits, option):
        before = [sha256(path) for path in files_of(digits)]
        line = refused("--resume", option, prefix=digits)
        assert f"--resume goes on with the run at --prefix as it is: leave out {option.partition('=')[0]}" in line
        assert [sha256(path) for path in files_of(digits)] == before

    @pytest.mark.parametrize("policy", ["resume", "retrain"])
    def test_the_same_prefix(self, refused, digits, policy, monkeypatch):
        monkeypatch.chdir(Path(digits).parent)
        arguments = "--overwrite", "--pretrained=./ocr", f"--pretrained-policy={policy}"
        assert "--pretrained and --prefix are both" in refused(*arguments, prefix=digits)
        assert len(files_of(digits)) >= 5

    @pytest.mark.parametrize("policy", ["resume", "retrain"])
    def test_a_prefix_that_is_taken(self, refused, digits, tmp_path, policy):
        taken = save(tmp_path / "taken", mark_recipe(), mark_params())
        before = [sha256(path) for path in files_of(taken)]
        line = refused(f"--pretrained={digits}", f"--pretrained-policy={policy}", prefix=taken)
        assert "--overwrite" in line
        assert [sha256(path) for path in files_of(taken)] == before

    def test_defaults_are_told(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "400")  # lines may break at hyphens
        with pytest.raises(SystemExit) as ended:
            train.main(["--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert ended.value.code == 0
        assert (
            "(default: auto with --train-data, word or scan with --texts, else captcha)" in told
            and "(default: retrain)" in told
            and "(default: fail)" in told
        )


class TestRetrain:
    def test_no_checkpoint(self, refused, tmp_path):
        assert f"{tmp_path}/none-symbol.json: no such checkpoint" in refused(f"--pretrained={tmp_path}/none")

    def test_8_bits(self, refused, quantized):
        assert "is of 8 bits already: take the checkpoint that it was made from" in refused(f"--pretrained={quantized}")

    @pytest.mark.parametrize("setting", ["network.hidden=64", "image.resize=bilinear", "network.layers=3"])
    def test_another_network(self, refused, digits, setting):
        line = refused(f"--pretrained={digits}", f"--set={setting}")
        assert f"--set {setting} is not what {digits} was trained with" in line

    def test_a_preset_with_another_network(self, refused, digits, tmp_path):
        line = refused(f"--pretrained={digits}", "--preset=mxnet-ctc")
        assert "--preset mxnet-ctc: network." in line and f"is not what {digits} was trained with" in line
        path = tmp_path / "own.json"
        path.write_bytes(encode_json(mark_recipe(hidden=11)))
        assert "network.hidden=11 is not what" in refused(f"--pretrained={digits}", f"--preset={path}")

    def test_a_preset_that_can_not_be_read(self, refused, digits, tmp_path):
        (tmp_path / "own.json").write_text('{"network": 3}')
        assert "own.json: " in refused(f"--pretrained={digits}", f"--preset={tmp_path}/own.json")
        assert "preset 'none' is none of" in refused(f"--pretrained={digits}", "--preset=none")

    def test_characters_that_it_lacks(self, refused, digits):
        line = refused(f"--pretrained={digits}", "--alphabet=hex")
        assert f"the alphabet of {digits} lacks 'a', 'b', 'c', 'd', 'e', 'f': --alphabet-change union" in line
        assert "lacks 'x'" in refused(f"--pretrained={digits}", "--set=text.alphabet=0x")

    def test_a_new_alphabet_that_nothing_tells(self, refused, digits):
        line = refused(f"--pretrained={digits}", "--alphabet-change=new")
        assert "--alphabet-change new needs --alphabet" in line


class TestResume:
    @pytest.fixture
    def go_on(self, refused, digits):
        return lambda *arguments, pretrained=digits, **others: refused(
            f"--pretrained={pretrained}", "--pretrained-policy=resume", *arguments, **others
        )

    @pytest.mark.parametrize(
        "arguments, key",
        [
            (["--set=network.hidden=64"], "network.hidden"),
            (["--set=training.batch_size=3"], "training.batch_size"),
            (["--seed=1"], "seed"),
            (["--alphabet=hex"], "text.alphabet"),
        ],
    )
    def test_only_training_may_change(self, go_on, arguments, key):
        assert f"{key} can't change when a run is resumed" in go_on(*arguments)

    @pytest.mark.parametrize("option", ["--alphabet-change=new", "--preset=mxnet-ctc"])
    def test_options_for_other_networks(self, go_on, option):
        assert f"{option.partition('=')[0]} goes with --pretrained-policy retrain" in go_on(option)

    @pytest.mark.parametrize(
        "settings",
        [
            [
                "--set=network.hidden=10",
                "--set=image.width=16",
                "--seed=0",
                f"--set=training.batch_size={mark_recipe().training.batch_size}",
            ],
            ["--alphabet=digits", "--set=training.keep=2", "--lr=0.5", "--epochs=7", "--renderer=fast"],
        ],
    )
    @pytest.mark.parametrize("here", [True, False])
    def test_the_values_that_the_run_has_are_no_change(self, refused, go_on, digits, settings, here):
        line = refused("--resume", *settings, prefix=digits) if here else go_on(*settings)
        assert "not what this run was begun with" in line  # which is looked at later

    def test_no_checkpoint(self, go_on, tmp_path):
        assert f"{tmp_path}/none-manifest.json: no such file" in go_on(pretrained=tmp_path / "none")

    def test_no_optimizer_states(self, go_on, quantized, original):
        assert f"{quantized} is of 8 bits, which can't be trained" in go_on(pretrained=quantized)
        line = go_on(pretrained=original)
        assert f"{original}-manifest.json: no such file" in line
        assert "--pretrained-policy retrain takes weights alone" in line

    def test_other_samples(self, go_on, digits):
        before = [sha256(path) for path in files_of(digits)]
        assert "not what this run was begun with" in go_on()
        assert [sha256(path) for path in files_of(digits)] == before
