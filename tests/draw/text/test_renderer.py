"""Images of texts: each effect does what the recipe says, and all of them come again from the same numbers."""

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.draw.fonts import Font
from ocr_lib.draw.text.coverage import Coverage, find_coverage
from ocr_lib.draw.text.ground import find_pictures
from ocr_lib.draw.text.renderer import TextRenderer
from ocr_lib.errors import OCRError
from ocr_lib.recipe.rendering import (
    STYLES,
    CameraRecipe,
    GroundRecipe,
    InkRecipe,
    LettersRecipe,
    RenderingRecipe,
)
from tests.conftest import FONT_DIR

ASCII = "".join(map(chr, range(32, 127)))
COVERAGE = Coverage([Font(FONT_DIR / "Ubuntu-M.ttf")], ASCII, np.ones((1, len(ASCII)), bool))


def generator(seed):
    return np.random.Generator(np.random.Philox(key=[seed, 1]))


def drawn(text="Hamburg", seed=0, coverage=COVERAGE, pictures=(), channels=1, **parts):
    return TextRenderer(RenderingRecipe(**parts), coverage, pictures, channels).draw(text, generator(seed))


def sample(count=40, **parts):
    return [drawn(seed=seed, **parts) for seed in range(count)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_the_height_and_come_again(style, channels):
    renderer = TextRenderer(STYLES[style], COVERAGE, (), channels)
    for seed in range(10):
        image = renderer.draw("Hamburg 1842", generator(seed))
        assert image.dtype == np.uint8 and image.shape[0] == 32 and image.shape[1] > 60
        assert image.shape[2:] == ((3,) if channels == 3 else ())
        again = TextRenderer(STYLES[style], COVERAGE, (), channels).draw("Hamburg 1842", generator(seed))
        assert np.array_equal(image, again)
        assert image.std() > 2
    assert not np.array_equal(renderer.draw("a", generator(1)), renderer.draw("a", generator(2)))


@given(
    st.text(st.sampled_from(ASCII), min_size=1, max_size=30),
    st.sampled_from(sorted(STYLES)),
    st.integers(8, 70),
    st.integers(0, 2**32),
)
def test_any_text_is_drawn_in_any_style_at_any_height(text, style, height, seed):
    recipe = msgspec.structs.replace(STYLES[style], height=height)
    image = TextRenderer(recipe, COVERAGE).draw(text, generator(seed))
    assert image.shape[0] == height and image.shape[1] >= 1


class TestLetters:
    def test_margins_are_left_on_all_sides(self):
        for image in sample(letters=LettersRecipe(margin=(0.25, 0.25))):
            dark = image < image.max() - 30
            rows, columns = (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
            margin = 32 * 0.25 / 1.5
            for least in rows[0], 31 - rows[-1], columns[0], image.shape[1] - 1 - columns[-1]:
                assert least == pytest.approx(margin, abs=1.6)

    def test_stretching_changes_the_width_both_ways(self):
        plain = drawn().shape[1]
        widths = [image.shape[1] / plain for image in sample(letters=LettersRecipe(stretch=0.3))]
        assert 0.69 < min(widths) < 0.85 and 1.15 < max(widths) < 1.31

    @pytest.mark.parametrize("effect", [{"slant": 0.4}, {"perspective": 0.3}])
    def test_strokes_lean(self, effect):
        # Of a row of upright strokes, as of I, the sum over rows is as sharp as it can be.
        def sharpness(image):
            return np.abs(np.diff(image.astype(float).mean(axis=0))).mean() / image.std()

        plain = sharpness(drawn("IIIIII"))
        changed = [sharpness(drawn("IIIIII", seed, letters=LettersRecipe(**effect))) for seed in range(20)]
        assert min(changed) < 0.8 * plain

    def test_lines_rise_and_fall(self):
        def rise(image):
            rows = np.arange(len(image))[:, None]
            ink = 255.0 - image
            left, right = ink[:, : image.shape[1] // 2], ink[:, image.shape[1] // 2 :]
            return (left * rows).sum() / left.sum() - (right * rows).sum() / right.sum()

        assert abs(rise(drawn("IIIIII"))) < 0.5
        rises = [rise(drawn("IIIIII", seed, letters=LettersRecipe(rotation=8.0))) for seed in range(20)]
        assert min(rises) < -1 and max(rises) > 1

    def test_neighbours_reach_in_from_above_or_below(self):
        margin = LettersRecipe(margin=(0.25, 0.25), neighbours=1.0)
        edges = [(image[[0, 1, -2, -1]] < image.max() - 40).any() for image in sample(letters=margin)]
        assert sum(edges) > 10
        alone = LettersRecipe(margin=(0.25, 0.25))
        assert not any((image[[0, 1, -2, -1]] < image.max() - 40).any() for image in sample(letters=alone))


class TestInk:
    def test_strokes_are_thicker_and_thinner(self):
        share = [(image < 128).mean() for image in sample()]
        thick = [(image < 128).mean() for image in sample(ink=InkRecipe(spread=2.0))]
        thin = [(image < 128).mean() for image in sample(ink=InkRecipe(thinning=1.5))]
        assert np.mean(thin) < 0.95 * np.mean(share) < np.mean(share) * 1.1 < np.mean(thick)

    def test_gaps_take_ink_away(self):
        for whole, broken in zip(sample(), sample(ink=InkRecipe(broken=1.0))):
            assert broken.astype(int).sum() >= whole.astype(int).sum()
        assert np.mean([image < 128 for image in sample(1)]) > np.mean([drawn(ink=InkRecipe(broken=1.0)) < 128])

    def test_dark_ink_is_darker_than_its_ground_and_any_may_be_lighter(self):
        for image in sample(ink=InkRecipe(contrast=60.0)):
            assert np.median(image) - image.min() >= 55
        lighter = [np.median(image) < image.mean() for image in sample(ink=InkRecipe(colours="any"))]
        assert 8 < sum(lighter) < 32

    @given(st.floats(0, 255), st.integers(0, 1000))
    def test_ink_and_ground_differ_by_the_contrast(self, contrast, seed):
        image = drawn(seed=seed, ink=InkRecipe(colours="any", contrast=contrast)).astype(int)
        assert image.max() - image.min() >= int(contrast) - 2

    @pytest.mark.parametrize("effect", ["outline", "shadow"])
    def test_something_lies_below_the_ink(self, effect):
        changed = sample(ink=InkRecipe(**{effect: 1.0}))
        different = [not np.array_equal(one, other) for one, other in zip(sample(), changed)]
        assert all(different) and all(image.shape[0] == 32 for image in changed)
        darker = [(one < 100).mean() for one in changed]
        assert max(darker) > 1.2 * max((one < 100).mean() for one in sample())


class TestGround:
    def test_light_changes_from_side_to_side(self):
        def slope(image):
            return abs(float(np.median(image[:, :5])) - float(np.median(image[:, -5:])))

        wide = LettersRecipe(margin=(0.5, 0.5))
        assert max(map(slope, sample(letters=wide))) <= 1
        assert max(map(slope, sample(letters=wide, ground=GroundRecipe(gradient=80.0)))) > 20

    @pytest.mark.parametrize("effect", [{"texture": 40.0}, {"bleed_through": 1.0}])
    def test_the_ground_is_uneven(self, effect):
        wide = LettersRecipe(margin=(0.3, 0.3))
        plain, changed = sample(letters=wide), sample(letters=wide, ground=GroundRecipe(**effect))
        assert all(np.array_equal(one, other) for one, other in zip(plain, sample(letters=wide)))
        assert np.mean([len(np.unique(image)) for image in changed]) > np.mean([len(np.unique(i)) for i in plain])
        assert sum(not np.array_equal(one, other) for one, other in zip(plain, changed)) > 35

    @pytest.mark.parametrize("channels", [1, 3])
    def test_letters_stand_on_pictures(self, tmp_path, channels):
        stripes = np.zeros((60, 80, 3), np.uint8)
        stripes[::8] = 255
        cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
        pictures = find_pictures(tmp_path)
        wide = {"letters": LettersRecipe(margin=(0.5, 0.5)), "channels": channels}
        on_picture = [drawn(seed=seed, pictures=pictures, **wide) for seed in range(20)]
        plain = [drawn(seed=seed, **wide) for seed in range(20)]

        def stripes_of(image):
            return np.median(image.reshape(32, -1), axis=1).std()

        assert sum(stripes_of(a) > stripes_of(b) + 3 for a, b in zip(on_picture, plain)) > 8

    def test_pictures_that_are_none(self, tmp_path):
        with pytest.raises(OCRError, match="none: no such folder; rendering.ground.pictures takes one that has"):
            find_pictures(tmp_path / "none")
        with pytest.raises(OCRError, match="no picture in this folder"):
            find_pictures(tmp_path)
        (tmp_path / "text.png").write_text("no picture")
        with pytest.raises(OCRError, match="text.png"):
            find_pictures(tmp_path)


class TestCamera:
    @pytest.mark.parametrize("effect", [{"blur": 2.0}, {"motion_blur": 8.0}, {"low_resolution": 4.0}])
    def test_edges_are_softer(self, effect):
        def steepest(image):
            return np.abs(np.diff(image.astype(int), axis=1)).max()

        assert np.mean([steepest(i) for i in sample(camera=CameraRecipe(**effect))]) < 0.85 * np.mean(
            [steepest(i) for i in sample()]
        )

    def test_noise_has_the_deviation_that_is_allowed_at_most(self):
        wide = LettersRecipe(margin=(0.5, 0.5))
        noise = [image[:6].std() for image in sample(letters=wide, camera=CameraRecipe(noise=20.0))]
        assert max(noise) < 21 and max(noise) > 8 and min(noise) < 3

    def test_specks(self):
        wide = LettersRecipe(margin=(0.5, 0.5))
        specks = [len(np.unique(i[:6])) > 1 for i in sample(letters=wide, camera=CameraRecipe(speckle=20.0))]
        assert sum(specks) > 30

    def test_black_and_white(self):
        assert all(set(np.unique(image)) == {0, 255} for image in sample(camera=CameraRecipe(threshold=1.0)))

    def test_in_black_and_white_thin_letters_beside_dirt_are_left(self):
        dirty = CameraRecipe(threshold=1.0, speckle=10.0, blur=1.0)
        images = sample(camera=dirty, ink=InkRecipe(contrast=60.0, thinning=0.7))
        assert all(0.13 < (image == 0).mean() < 0.4 for image in images)

    def test_jpeg_leaves_its_marks(self):
        marked = sample(camera=CameraRecipe(jpeg=1.0))
        assert all(len(np.unique(a)) > len(np.unique(b)) for a, b in zip(marked, sample()))


class TestFonts:
    def test_one_that_has_all_characters_is_taken(self, subset_font, tmp_path):
        subset_font(tmp_path / "digits.ttf", "0123456789 ")
        subset_font(tmp_path / "letters.ttf", "abcdef ")
        coverage = find_coverage(tmp_path, "0123456789abcdef ", tells_case=True)
        assert [font.name for font in coverage.fonts] == ["digits.ttf", "letters.ttf"]
        assert coverage.able("12").tolist() == [0] and coverage.able("abc").tolist() == [1]
        assert coverage.able("1a").tolist() == [] == coverage.able("z").tolist() and len(coverage.able(" ")) == 2
        assert coverage.lacking(0) == "abcdef" and coverage.nowhere == ""
        drawable = {text: coverage.drawable(text) for text in ("12 ab", "ab 12 34", "1a2", "a 1", "abc1", "12")}
        assert list(drawable.values()) == ["12", "ab", "12", "a", "abc", "12"]
        renderer = TextRenderer(RenderingRecipe(), coverage)
        assert renderer.draw("12", generator(0)).shape[0] == 32
        with pytest.raises(ValueError, match="no font has all characters of '1a'"):
            renderer.draw("1a", generator(0))

    def test_what_fonts_lack_is_told(self, subset_font, tmp_path, caplog):
        subset_font(tmp_path / "digits.ttf", "0123456789")
        find_coverage(tmp_path, "01ab\u0416", tells_case=True)
        assert "1 of 1 fonts lack characters, and draw texts without these alone: digits.ttf lacks 'a', 'b', " in (
            caplog.text
        )
        assert "No font has 'a', 'b', '\u0416': texts with these are left out" in caplog.text
        with pytest.raises(OCRError, match="no font that has any of the characters 'x', 'y'"):
            find_coverage(tmp_path, "xy", tells_case=True)

    def test_those_that_cannot_be_read_are_left_out_of_a_folder(self, font, tmp_path, caplog):
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "good.ttf").write_bytes(font.read_bytes())
        (tmp_path / "bad.ttf").write_bytes(b"no font")
        (tmp_path / "._good.ttf").write_bytes(b"of macOS")
        assert [f.name for f in find_coverage(tmp_path, "abc", True).fonts] == ["good.ttf"]
        assert "Left out" in caplog.text and "bad.ttf: not a font that can be read" in caplog.text
        with pytest.raises(OCRError, match="bad.ttf: not a font that can be read"):
            find_coverage(tmp_path / "bad.ttf", "abc", True)
        (tmp_path / "none").mkdir()
        with pytest.raises(OCRError, match=r"no .ttf or .otf file in this folder"):
            find_coverage(tmp_path / "none", "abc", True)

    def test_small_letters_that_look_like_capitals_are_no_small_letters(self, font, tmp_path):
        from fontTools.ttLib import TTFont

        with TTFont(font) as parsed:
            glyphs = parsed.getBestCmap()
            for table in parsed["cmap"].tables:
                if table.isUnicode():
                    table.cmap[ord("a")] = glyphs[ord("A")]
            parsed.save(tmp_path / "capitals.ttf")
        assert find_coverage(tmp_path, "aAbB", tells_case=True).lacking(0) == "a"
        assert find_coverage(tmp_path, "aAbB", tells_case=False).lacking(0) == ""
