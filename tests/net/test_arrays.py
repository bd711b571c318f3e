"""Files of arrays: read as MXNet reads those that it wrote, of every version, and refused when they are damaged."""

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.arrays import read_arrays

DTYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"]
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DAMAGED = "cut off, or not a file of MXNet arrays"
SAMPLE = np.arange(6, dtype=np.float32).reshape(2, 3)
CONTENT = SAMPLE.tobytes()


def file_of(*arrays, names=("arg:w",), magic=0x112):
    """Return a file that holds arrays as `array_of` makes them."""
    texts = [name.encode() if isinstance(name, str) else name for name in names]
    head = struct.pack("<QQQ", magic, 0, len(arrays))
    tail = b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return head + b"".join(arrays) + struct.pack("<Q", len(texts)) + tail


def array_of(version, shape=SAMPLE.shape, data=CONTENT, kind=0, storage=0):
    """Return an array as a version of MXNet writes it; None is the first."""
    device_and_kind = struct.pack("<iii", 1, 0, kind)
    if version is None:
        return struct.pack(f"<I{len(shape)}I", len(shape), *shape) + device_and_kind + data
    begin = struct.pack("<I", version) + (b"" if version == V1 else struct.pack("<i", storage))
    return begin + struct.pack(f"<I{len(shape)}q", len(shape), *shape) + device_and_kind + data


@pytest.fixture
def read(tmp_path):
    def of_bytes(data):
        (tmp_path / "some.params").write_bytes(data)
        return read_arrays(tmp_path / "some.params")

    return of_bytes


@pytest.fixture
def refused(tmp_path, read):
    def with_message(data, said=DAMAGED):
        with pytest.raises(OCRError, match=f"^{tmp_path}/some.params: {said}$"):
            read(data)

    return with_message


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype and array.shape == expected[name].shape
        np.testing.assert_array_equal(array, expected[name].asnumpy())


class TestAsMXNet:
    @settings(max_examples=60)
    @given(st.data())
    def test_reads_what_it_wrote(self, tmp_path_factory, data):
        path = tmp_path_factory.getbasetemp() / "written.params"
        names = data.draw(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
        written = {}
        for name in names:
            dtype = data.draw(st.sampled_from(DTYPES))
            shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5).map(tuple))
            array = data.draw(numpy_strategies.arrays(dtype, shape))
            written[name] = mx.nd.array(array, dtype=dtype)
        mx.nd.save(str(path), written)
        assert_same(read_arrays(path), mx.nd.load(str(path)))

    @pytest.mark.parametrize("version", [None, V1, V2])
    @pytest.mark.parametrize("kind, dtype", list(enumerate(DTYPES)))
    def test_reads_files_of_every_version(self, tmp_path, read, version, kind, dtype):
        data = SAMPLE.astype(dtype).tobytes()
        content = file_of(array_of(version, data=data, kind=kind), array_of(V2), names=["arg:w", "aux:m"])
        found = read(content)
        assert_same(found, mx.nd.load(str(tmp_path / "some.params")))
        np.testing.assert_array_equal(found["arg:w"], SAMPLE.astype(dtype))

    def test_reads_arrays_of_numpys_semantics(self, tmp_path):
        path = tmp_path / "some.params"
        with mx.util.np_shape(True):
            mx.nd.save(str(path), {"w": mx.nd.array(SAMPLE)})
        assert struct.pack("<I", V3) in path.read_bytes()
        np.testing.assert_array_equal(read_arrays(path)["w"], SAMPLE)

    def test_no_arrays(self, tmp_path):
        mx.nd.save(str(tmp_path / "none.params"), {})
        assert read_arrays(tmp_path / "none.params") == {}


class TestRefused:
    def test_a_missing_file(self, tmp_path):
        with pytest.raises(OCRError, match=f"^{tmp_path}/no.params: No such file or directory$"):
            read_arrays(tmp_path / "no.params")

    @pytest.mark.parametrize("version", [None, V1, V2, V3])
    def test_cut_off_anywhere_or_too_long(self, read, refused, version):
        data = file_of(array_of(version))
        np.testing.assert_array_equal(read(data)["arg:w"], SAMPLE)
        for size in range(len(data)):
            refused(data[:size])
        refused(data + b"\0")

    @pytest.mark.parametrize("version", [None, V1, V2, V3])
    @pytest.mark.parametrize("shape", [(), (2,), (2, 4), (6, 2**29), (2**31, 2**31), (2,) * 40, (2**31,) * 9])
    def test_another_shape_than_there_are_numbers(self, refused, version, shape):
        refused(file_of(array_of(version, shape)))

    @pytest.mark.parametrize("shape", [(-2, -3), (-1,), (2**31, 0), (2**62, 4), (2**63 - 1, 0)])
    @pytest.mark.parametrize("version", [V1, V2, V3])
    def test_a_shape_that_is_none(self, refused, version, shape):
        refused(file_of(array_of(version, shape)))
        refused(file_of(array_of(version, shape, data=b"")))

    @pytest.mark.parametrize("kind", [-1, 8, 2**31 - 1])
    def test_a_type_that_is_none(self, refused, kind):
        refused(file_of(array_of(V2, kind=kind)))

    @pytest.mark.parametrize("storage", [-1, 1, 2])
    def test_sparse_arrays(self, refused, storage):
        refused(file_of(array_of(V2, storage=storage)))

    @pytest.mark.parametrize("names", [["a", "b"], [b"\xff"]], ids=["two", "no-text"])
    def test_names_that_are_none(self, refused, names):
        refused(file_of(array_of(V2), names=names))

    def test_arrays_without_names(self, refused):
        refused(file_of(array_of(V2), names=[]), "the arrays in this file have no names")

    @pytest.mark.parametrize("data", [b"", b"no parameters\n" * 9, file_of(array_of(V2), magic=0x113)])
    def test_other_files(self, refused, data):
        refused(data)


@settings(max_examples=300)
@given(st.data())
def test_damage_never_takes_more_memory_than_the_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.params"
    content = bytearray(file_of(array_of(V2), array_of(None), array_of(V1), names=["a", "b", "c"]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        run = data.draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * data.draw(st.integers(1, 8))
        content[start : start + len(run)] = run
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with contextlib.suppress(OCRError):
            read_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
