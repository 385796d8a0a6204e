"""The model inspector of page 5 lists what Python reads, and says in a sentence what it refuses."""

import base64
import json
import math
import os
import pickle
import random
import re
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from project import ROOT
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import nn

from executable_pages.reading import read_page
from torch_workflow import load_model, save_model

PAGE = ROOT / "docs" / "workflow" / "5-saving.md"
MODULE = ROOT / "overrides" / "assets" / "inspector.js"
WIDGET = "[data-widget=inspector]"
PATIENCE = 2_000  # milliseconds that one small file may take, on a busy machine

# What the module reads of files that come as base64, each an error or [name, dtype, shape, values].
LIST = """async ([files, limit]) => {
  const { parse, values } = await import("/assets/inspector.js");
  const listed = [];
  for (const [index, text] of files.entries()) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const file = new File([bytes], "m.safetensors");
    const start = performance.now();
    try {
      const parsed = await parse(file);
      const tensors = [];
      for (const tensor of parsed.tensors) {
        const { name, dtype, shape } = tensor;
        tensors.push([name, dtype, shape, await values(file, parsed, tensor, limit)]);
      }
      listed.push({ tensors, notes: Object.entries(parsed.notes) });
    } catch (error) {
      listed.push({ error: error.message, kind: error.constructor.name });
    }
    listed[index].took = performance.now() - start;
  }
  return listed;
}"""


def packed(table, numbers=b""):
    """A file with this table, text or what becomes JSON, and these numbers."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


ENTRY = json.dumps(entry()).encode()
ONE = struct.pack("<f", 1.0)


def with_field(field):
    """A file whose only tensor has this field written over one of its own."""
    name = field.split(b":")[0]
    fields = {b'"dtype"': b'"F32"', b'"shape"': b"[1]", b'"data_offsets"': b"[0, 4]"}
    fields.pop(name, None)
    return packed(b'{"a": {%s}}' % b", ".join([*map(b": ".join, fields.items()), field]), ONE)


WRONG = {
    "empty": (b"", "is empty: choose a file"),
    "shorter than a length": (b"\1\0\0", "has 3 bytes"),
    "cut in the table": (packed({"a": entry()}, ONE)[:30], "is cut short or no safetensors file"),
    "cut in the numbers": (packed({"a": entry()}, ONE[:3]), "has 3 bytes of numbers"),
    "longer than its table says": (packed({"a": entry()}, ONE * 2), "has 8 bytes of numbers"),
    "text": (b"# A model\nweight: 0.7\n", "is no safetensors file"),
    "length over 100 MB": (struct.pack("<Q", 100_000_001) + b"{}", "100,000,001 bytes, over the"),
    "length beyond 2 ** 53": (b"\xff" * 8 + b"{}", "is no safetensors file"),
    "length beyond the end": (struct.pack("<Q", 3) + b"{}", "a table of 3 bytes and 2 follow"),
    "zip": (b"PK\3\4\0\0\x08\x08" + bytes(30), "is a zip archive, such as torch.save writes"),
    "pickle": (pickle.dumps({"weight": 0.7}), "is a pickle: save the model with save_model"),
    "not UTF-8": (packed(b'{"\xff": 1}'), "not UTF-8"),
    "byte order mark": (packed(b"\xef\xbb\xbf{}"), "no JSON object"),
    "no table": (packed(b""), "no JSON object"),
    "list": (packed([]), "no JSON object"),
    "number": (packed(b"1" * 5000), "no JSON object"),
    "two tables": (packed(b"{}{}"), "does not end at character 2"),
    "table not closed": (packed(b'{"a":%s' % ENTRY, ONE), "at character 1 is not JSON"),
    "comma at the end": (packed(b'{"a":%s,}' % ENTRY, ONE), "is not JSON"),
    "zero bytes for spaces": (packed(b'{"a":%s}\0' % ENTRY, ONE), "does not end at"),
    "deep": (packed(b'{"a":' * 50_000), "at character 1 is not JSON of the format"),
    "deep lists": (packed(b"[" * 100_000), "no JSON object"),
    "control character in a name": (packed(b'{"\1":%s}' % ENTRY, ONE), "is not JSON"),
    "half a surrogate pair": (packed(b'{"\\ud800":%s}' % ENTRY, ONE), "no Unicode text"),
    "tensor that is null": (packed({"a": None}), "has no dtype of “a”"),
    "tensor without dtype": (packed(b'{"a": {"shape": []}}'), "has no dtype of “a”"),
    "dtype that is inherited": (packed({"a": entry("toString")}, ONE), "“toString”"),
    "dtype of the future": (packed({"a": entry("F128")}, ONE), "of “a” that is not known, “F128”"),
    "shape as text": (with_field(b'"shape":"1"'), "a shape of “a”"),
    "negative shape": (with_field(b'"shape":[-1]'), "a shape of “a”"),
    "fraction in a shape": (with_field(b'"shape":[1.5]'), "a shape of “a”"),
    "4.0 for 4": (with_field(b'"data_offsets":[0,4.0]'), "written as a fraction"),
    "4e0 for 4": (with_field(b'"data_offsets":[0,4e0]'), "written as a fraction"),
    "-0 for 0": (with_field(b'"data_offsets":[-0,4]'), "written as a fraction"),
    "negative offset": (with_field(b'"data_offsets":[-4,0]'), "data_offsets of “a”"),
    "one offset": (with_field(b'"data_offsets":[0]'), "not two whole numbers"),
    "three offsets": (with_field(b'"data_offsets":[0,4,4]'), "not two whole numbers"),
    "offset beyond 2 ** 64": (with_field(b'"data_offsets":[0,%d]' % 2**65), "not two whole"),
    "field twice": (with_field(b'"shape":[1],"shape":[1]'), "more than dtype, shape"),
    "offsets the wrong way": (packed({"a": entry(offsets=(4, 0))}, ONE), "at 4 to 0"),
    "beyond the end": (packed({"a": entry(shape=(2,), offsets=(0, 8))}, ONE), "describes 8"),
    "hole at the start": (packed({"a": entry(offsets=(4, 8))}, ONE * 2), "from 0 on"),
    "hole": (packed({"a": entry(), "b": entry(offsets=(8, 12))}, ONE * 3), "of “b” at 8 to 12"),
    "overlap": (packed({"a": entry(), "b": entry(offsets=(2, 6))}, ONE * 2), "of “b” at 2 to 6"),
    "the same numbers twice": (packed({"a": entry(), "b": entry()}, ONE), "were expected from 4"),
    "shape too large": (packed({"a": entry(shape=(2,))}, ONE), "its shape and dtype need 8"),
    "half bytes": (packed({"a": entry("F4", (3,), (0, 2))}, b"12"), "dtype need 1.5"),
    "overflow": (packed({"a": entry(shape=(2**40, 2**40, 0), offsets=(0, 0))}), "no memory"),
    "notes that are a list": (packed(b'{"__metadata__": []}'), "is not JSON of the format"),
    "note that is a number": (packed({"__metadata__": {"a": 1}}), "not all text"),
    "note that is a list": (packed({"__metadata__": {"a": ["b"]}}), "not all text"),
    "notes that are a tensor": (packed({"__metadata__": entry()}, ONE), "not all text"),
    "notes twice": (packed(b'{"__metadata__":{},"__metadata__":{}}'), "second entry"),
}

# What the format forbids or does not have, and Python's reader accepts.
STRICTER = {
    "tensor twice": (packed(b'{"a":%s,"a":%s}' % (ENTRY, ENTRY), ONE), "has a second entry of “a”"),
    "note twice": (packed(b'{"__metadata__":{"a":"1","a":"2"}}'), "__metadata__ with a name twice"),
    "a field more": (with_field(b'"x":1'), "has more than dtype, shape and data_offsets of “a”"),
    "an object more": (with_field(b'"x":{}'), "is not JSON of the format"),
    "entry as a list": (packed(b'{"a":["F32",[1],[0,4]]}', ONE), "is not JSON of the format"),
    "dtype as an object": (with_field(b'"dtype":{"F32":null}'), "is not JSON of the format"),
    "shape beyond 2 ** 53": (packed({"a": entry(shape=(0, 2**53), offsets=(0, 0))}), "a shape of"),
}

RIGHT = {
    "no tensors": packed({}),
    "no notes": packed({"__metadata__": None, "a": entry()}, ONE),
    "spaces": packed(b' \n{ "a"\t: %s \r\n} \n\t ' % ENTRY, ONE),
    "fields in another order": packed({"a": dict(reversed(entry().items()))}, ONE),
    "scalar": packed({"a": entry(shape=())}, ONE),
    "no values": packed({"z": entry(shape=(0, 3), offsets=(4, 4)), "a": entry()}, ONE),
    "out of order": packed({"b": entry(offsets=(4, 8)), "a": entry()}, ONE + ONE[::-1]),
    "names of JavaScript": packed(
        {
            name: entry("U8", (1,), (at, at + 1))
            for at, name in enumerate(["__proto__", "constructor", "toString", "0", ""])
        },
        b"12345",
    ),
    "escapes in a name": packed(b'{"\\"a\\"\\n\\u00e9\\ud83d\\ude00{}":%s}' % ENTRY, ONE),
    "braces in a note": packed({"__metadata__": {"a": '{"b": ["c", "\\"]}'}, "a": entry()}, ONE),
    "note __proto__": packed({"__metadata__": {"__proto__": "a"}, "a": entry()}, ONE),
}


def encoded(files):
    return [base64.b64encode(file).decode() for file in files]


def python_reads(content, path):
    """The tensors that safetensors reads, [name, dtype, shape, values] each, or None."""
    path.write_bytes(content)
    try:
        with safe_open(path, framework="pt") as file:
            found = []
            for name in file.offset_keys():
                tensor, piece = file.get_tensor(name), file.get_slice(name)
                numbers = tensor.flatten().tolist() if tensor.numel() else []
                found.append([name, piece.get_dtype(), piece.get_shape(), numbers])
            return sorted(found), file.metadata() or {}
    except SafetensorError:
        return None


def comparable(dtype, numbers):
    """Numbers as text that is the same for the same bits, except for those of a nan."""
    if dtype == "C64":
        return [
            repr(complex(*number) if isinstance(number, list) else number) for number in numbers
        ]
    if dtype in ("BOOL", "I64", "U64"):
        return [repr(number) for number in numbers]
    return [repr(float(number)) for number in numbers]


def same(listed, tensors):
    found, expected = (
        [[name, dtype, shape, comparable(dtype, numbers)] for name, dtype, shape, numbers in rows]
        for rows in (sorted(listed["tensors"]), tensors)
    )
    return found == expected


def is_sentence(text):
    """Whether it says which file, what about it, and what to do, on one line of a fair length."""
    return re.fullmatch(r"m\.safetensors (is|has) [^\n]+: (take|choose|save) [\w ]+", text) and (
        len(text) <= 200
    )


def at_the_inspector(open_page, **options):
    page = open_page("workflow/5-saving/", **options)
    page.locator(WIDGET).scroll_into_view_if_needed()
    page.locator(f"{WIDGET}[data-mounted]").wait_for()
    return page


@pytest.fixture(scope="module")
def page(opener):
    """The page with the inspector, the same one for all tests that leave it as it was."""
    with opener() as open_page:
        yield at_the_inspector(open_page)


@pytest.fixture
def open_inspector(open_page):
    return partial(at_the_inspector, open_page)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The file that page 5's own snippets save, and the model in it."""
    folder, before = tmp_path_factory.mktemp("page"), Path.cwd()
    names = {"__name__": "page"}
    os.chdir(folder)
    try:
        for block in read_page(PAGE).blocks:
            if block.language == "python" and block.source is None and "plt.plot" not in block.code:
                exec(block.code, names)
            if "save_model(model," in block.code:
                return folder / "line.safetensors", names["model"]
    finally:
        os.chdir(before)
    raise AssertionError("the page saves no line.safetensors")


def chosen(page, file, name="m.safetensors"):
    """What the inspector says of a file, given as a path or as bytes, chosen by the reader."""
    if isinstance(file, bytes):
        file = {"name": name, "mimeType": "", "buffer": file}
    page.set_input_files(f"{WIDGET} input", file)
    return said(page)


def said(page):
    status = page.locator(WIDGET).get_by_role("status")
    page.wait_for_function(
        "status => status.textContent && !status.textContent.startsWith('Reading ')",
        arg=status.element_handle(),
    )
    return status.text_content()


def drop(page, script):
    """Drop what the script adds to `data`, a DataTransfer."""
    data = page.evaluate_handle(
        f"() => {{ const data = new DataTransfer(); {script}; return data }}"
    )
    page.locator(".inspector-drop").dispatch_event("dragover", {"dataTransfer": data})
    page.locator(".inspector-drop").dispatch_event("drop", {"dataTransfer": data})
    return said(page)


def mutated(files, count):
    """Copies of the files with a small damage each, the same ones every time."""
    chance = random.Random(5)
    fields = [
        b"-1",
        b"0",
        b"1",
        b"2",
        b"4.0",
        b"4e0",
        b"-0",
        b"1e999",
        b"01",
        b"18446744073709551616",
    ]
    fields += [
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'"4"',
        b'"__proto__"',
        b'"F16"',
        b'"shape"',
        b"[[0]]",
    ]
    for _ in range(count):
        content = bytearray(chance.choice(files))
        length = int.from_bytes(content[:8], "little")
        at = chance.randrange(len(content))
        kind = chance.choice(["flip", "flip in the table", "numbers", "insert", "delete", "field"])
        if kind == "flip":
            content[at] ^= 1 << chance.randrange(8)
        elif kind == "numbers":
            content[chance.randrange(8 + length, len(content))] ^= 1 << chance.randrange(8)
        elif kind == "flip in the table":
            content[chance.randrange(8, 8 + length)] ^= 1 << chance.randrange(8)
        elif kind == "insert":
            content[at:at] = chance.choice([b"\0", b" ", b'"', b"{", b",", b"7", b"\xc3\xa9"])
        elif kind == "delete":
            del content[at : at + chance.randrange(1, 5)]
        else:
            places = [*re.finditer(rb'\d+|"[^"]*"|\[[^\]]*\]', content[8 : 8 + length])]
            place = chance.choice(places)
            table = content[8 : 8 + length]
            table[slice(*place.span())] = chance.choice(fields)
            content[: 8 + length] = packed(bytes(table))
        yield bytes(content)


def test_every_damaged_file_is_listed_as_python_reads_it_or_refused(page, line, tmp_path):
    saved = line[0].read_bytes()
    mixed = save({"a.b": torch.arange(6.0).view(2, 3), "c": torch.tensor(7), "": torch.zeros(0, 2)})
    files = [saved[:end] for end in range(len(saved) + 1)]
    files += mutated([saved, mixed], 1300)
    read = 0
    listings = page.evaluate(LIST, [encoded(files), 100])
    for content, listed in zip(files, listings, strict=True):
        expected = python_reads(content, tmp_path / "m.safetensors")
        assert listed["took"] < PATIENCE, content
        if expected is None:
            assert listed.get("kind") == "Error" and is_sentence(listed["error"]), (content, listed)
        elif "error" in listed:
            assert any(why in listed["error"] for _, why in STRICTER.values()), (content, listed)
        else:
            read += 1
            assert same(listed, expected[0]) and dict(listed["notes"]) == expected[1], (
                content,
                listed,
            )
    assert 100 < read < len(files) / 2


def test_wrong_files_are_refused_and_say_what_is_wrong(page, tmp_path):
    for what, (content, why) in (WRONG | STRICTER).items():
        accepted = python_reads(content, tmp_path / "m.safetensors") is not None
        assert accepted == (what in STRICTER), what
        sentence = chosen(page, content)
        assert why in sentence and is_sentence(sentence), (what, sentence)
        assert page.locator(f"{WIDGET} tr").count() == 0


def test_unusual_files_are_listed_as_python_reads_them(page, tmp_path):
    listings = page.evaluate(LIST, [encoded(RIGHT.values()), 100])
    for (what, content), listed in zip(RIGHT.items(), listings, strict=True):
        tensors, notes = python_reads(content, tmp_path / "m.safetensors")
        assert same(listed, tensors) and dict(listed["notes"]) == notes, (what, listed)


def test_values_of_every_dtype_are_those_of_torch(page):
    edges = [0x03FF, 0x0400, 0x007F, 0x0080, 0x7C00, 0x7C01, 0x7F80, 0x7F81, 0x8000, 0xFC00, 0xFF80]
    codes = {1: np.arange(256), 2: np.array([*range(0, 65536, 17), *edges])}
    coded = {
        name: torch.from_numpy(codes[dtype.itemsize].astype(f"u{dtype.itemsize}")).view(dtype)
        for name, dtype in {
            "half": torch.float16,
            "brain": torch.bfloat16,
            "e5m2": torch.float8_e5m2,
            "e4m3": torch.float8_e4m3fn,
            "e5m2z": torch.float8_e5m2fnuz,
            "e4m3z": torch.float8_e4m3fnuz,
        }.items()
    }
    numbers = [-2.5, 0.1, -0.0, math.inf, -math.inf, math.nan, 3.4e38, 1e-45]
    whole = [torch.int8, torch.int16, torch.int32, torch.int64]
    whole += [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
    exact = {
        f"{dtype}": torch.tensor([torch.iinfo(dtype).min, 1, torch.iinfo(dtype).max], dtype=dtype)
        for dtype in whole
    }
    exact |= {
        "single": torch.tensor(numbers),
        "double": torch.tensor(numbers, dtype=torch.float64),
        "bool": torch.tensor([True, False]),
        "complex": torch.tensor([1 - 2j, complex(math.inf, -0.0)]),
    }
    scale = packed({"scale": entry("F8_E8M0", (256,), (0, 256))}, bytes(range(256)))
    packed_floats = packed(
        {"f": entry("F4", (2, 2), (0, 2)), "g": entry("F6_E2M3", (4,), (2, 5))}, b"12345"
    )
    files = encoded([save(coded), save(exact), scale, packed_floats])
    eight_and_sixteen, others, scales, undecoded = page.evaluate(LIST, [files, 5000])
    for name, _, _, found in eight_and_sixteen["tensors"]:
        expected = coded[name].double().numpy()
        np.testing.assert_array_equal(np.array(found, dtype=float), expected, err_msg=name)
        signs = np.signbit(expected) & ~np.isnan(expected)
        assert (np.signbit(np.array(found, dtype=float)) == signs)[~np.isnan(expected)].all(), name
    for name, dtype, _, found in others["tensors"]:
        assert comparable(dtype, found) == comparable(dtype, exact[name].tolist()), name
    powers = torch.arange(256, dtype=torch.uint8).view(torch.float8_e8m0fnu).float().double()
    found = np.array(scales["tensors"][0][3], dtype=float)
    np.testing.assert_array_equal(found, powers.numpy())
    assert [row[3] for row in undecoded["tensors"]] == [None, None]


def test_the_line_that_page_5_saves_is_listed_and_drawn(page, line):
    path, model = line
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    sentence = chosen(page, path)
    assert sentence == (
        "line.safetensors holds 2 tensors with 2 values. Its checksum fits: the file is whole."
    )
    rows = [row.split("\t") for row in page.locator(f"{WIDGET} tbody tr").all_inner_texts()]
    assert [row[:5] for row in rows] == [
        ["bias", "(1,)", "float32", "1", "4"],
        ["weight", "(1,)", "float32", "1", "4"],
    ]
    weight, bias = model.weight.item(), model.bias.item()
    assert [float(row[5]) for row in rows] == pytest.approx([bias, weight], rel=1e-5)
    label = page.locator(f"{WIDGET} svg").get_attribute("aria-label")
    assert f"solid, y = {weight:.4g}x + {bias:.4g}, and the true line, dashed, y = 0.7x" in label
    _, solid, dashed = [
        [float(number) for number in re.findall(r"[\d.]+", path.get_attribute("d"))]
        for path in page.locator(f"{WIDGET} svg path").all()[:3]
    ]
    assert solid == pytest.approx([60, 190 - 150 * bias, 320, 190 - 150 * (weight + bias)])
    assert dashed == pytest.approx([60, 190 - 150 * 0.3, 320, 40])
    assert requests == []


def test_the_example_is_what_page_5_saves(page, line):
    page.get_by_role("button", name="Open an example").click()
    assert "Its checksum fits" in said(page)
    text = "".join(re.findall(r'^  "([\w+/=]+)"', MODULE.read_text(), re.M))
    example, saved = base64.b64decode(text), line[0].read_bytes()
    assert len(example) == len(saved)
    assert np.frombuffer(example[-8:], "f4") == pytest.approx(
        np.frombuffer(saved[-8:], "f4"), abs=1e-3
    )


def test_a_linear_layer_is_drawn_as_well(page, tmp_path):
    layer = nn.Linear(1, 1)
    for weight, bias, equation in (
        (-1.5, -0.25, "y = -1.5x − 0.25"),
        (0.0, 0.0, "y = 0x + 0"),
        (3e38, 3e38, "y = 3e+38x + 3e+38"),
    ):
        nn.init.constant_(layer.weight, weight)
        nn.init.constant_(layer.bias, bias)
        save_model(layer, tmp_path / "m.safetensors")
        assert "the file is whole" in chosen(page, tmp_path / "m.safetensors")
        assert f"solid, {equation}," in page.locator(f"{WIDGET} svg").get_attribute("aria-label")
        assert "NaN" not in page.locator(f"{WIDGET} svg").inner_html()


def test_only_a_line_is_drawn(page):
    one, two = torch.ones(1), torch.full((2,), 2.0)
    for state in (
        {"weight": two, "bias": one},
        {"weight": one.double(), "bias": one},
        {"bias": one},
    ):
        assert "no checksum" in chosen(page, save(state))
        assert page.locator(f"{WIDGET} tbody tr").count() == len(state)
        assert page.locator(f"{WIDGET} svg").count() == 0
    chosen(page, save({"weight": torch.tensor([math.nan]), "bias": one}))
    assert page.locator(f"{WIDGET} svg").count() == 0
    assert "no line to draw" in page.locator(WIDGET).inner_text()


def test_a_damaged_file_is_named_as_load_model_names_it(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nn.Module()
    for name in ("b", "\N{GRINNING FACE}", "\N{HALFWIDTH BLACK SQUARE}", "a\u00e9"):
        model.register_buffer(name, torch.randn(2, 3))
    model.register_buffer("count", torch.tensor(3))
    model.register_buffer("empty", torch.zeros(0, 2, dtype=torch.bfloat16))
    save_model(model, "m.safetensors")
    assert chosen(page, "m.safetensors").endswith("the file is whole.")
    content = bytearray(Path("m.safetensors").read_bytes())
    content[-3] ^= 1
    Path("m.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="is damaged") as refused:
        load_model(model, "m.safetensors")
    assert chosen(page, "m.safetensors") == str(refused.value)
    assert page.locator(f"{WIDGET} tbody tr").count() == 6


def test_a_large_file_is_read_in_small_pieces(open_inspector, tmp_path):
    size = 2 * 1024**3
    with (tmp_path / "m.safetensors").open("wb") as file:
        file.write(packed({"__metadata__": {"crc32": "0"}, "a": entry("U8", (size,), (0, size))}))
        file.truncate(file.tell() + size)  # a hole that takes no room on the disk
    page = open_inspector()
    page.evaluate("""() => {
      const read = Blob.prototype.arrayBuffer;
      window.bytesRead = 0;
      Blob.prototype.arrayBuffer = function () { bytesRead += this.size; return read.call(this); };
    }""")
    sentence = chosen(page, tmp_path / "m.safetensors")
    assert "1 tensor with 2,147,483,648 values. Its checksum was not compared" in sentence
    assert page.evaluate("bytesRead") < 1000


def test_a_million_tensors_leave_the_page_alive(open_inspector, tmp_path):
    row = json.dumps(entry(shape=(0,), offsets=(0, 0)), separators=(",", ":"))
    rows = ",".join(f'"{number}":{row}' for number in range(1_000_000))
    path = tmp_path / "m.safetensors"
    path.write_bytes(packed(f"{{{rows}}}".encode()))
    page = open_inspector()
    page.evaluate("""() => {
      window.longest = 0;
      window.began = performance.now();
      let last = began;
      setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      });
    }""")
    assert chosen(page, path).startswith("m.safetensors holds 1,000,000 tensors with 0 values")
    assert page.evaluate("longest < (performance.now() - began) / 2")
    assert page.locator(f"{WIDGET} tbody tr").count() == 100
    assert "and 999,900 more tensors" in page.locator(WIDGET).inner_text()


def test_a_newer_file_wins_over_one_that_is_still_read(open_inspector):
    page = open_inspector()
    page.evaluate("""() => {
      const read = Blob.prototype.arrayBuffer;
      const held = new Promise((go) => { window.release = go; });
      Blob.prototype.arrayBuffer = async function () {
        Blob.prototype.arrayBuffer = read;
        await held;
        return read.call(this);
      };
    }""")
    first, second = (save({"a": torch.ones(count)}) for count in (1, 2))
    page.set_input_files(f"{WIDGET} input", {"name": "1", "mimeType": "", "buffer": first})
    assert chosen(page, second, name="2").startswith("2 holds 1 tensor with 2 values")
    page.evaluate("() => { release(); return new Promise((go) => setTimeout(go, 100)); }")
    assert said(page).startswith("2 holds 1 tensor with 2 values")


def test_names_and_notes_are_shown_as_text(open_inspector):
    names = [
        "<img src=x onerror=alert(1)>",
        "x" * 10_000,
        "a\u202eb\u2066\n\x1b\u2028",
        "é 重み",
        "",
    ]
    table = {name: entry("U8", (1,), (at, at + 1)) for at, name in enumerate(names)}
    table["__metadata__"] = {"<b>note</b>": "y" * 5000} | {f"n{number}": "" for number in range(50)}
    page = open_inspector(viewport={"width": 390, "height": 800})
    chosen(page, packed(table, b"12345"), name="<i>\u202e.safetensors")
    shown = page.locator(f"{WIDGET} tbody th").all_inner_texts()
    assert shown == [
        names[0],
        "x" * 80 + "…",
        "a\\u{202e}b\\u{2066}\\u{a}\\u{1b}\\u{2028}",
        names[3],
        "“”",
    ]
    assert "<i>\\u{202e}.safetensors holds 5 tensors" in said(page)
    assert "<b>note</b> = yyyy" in page.locator(WIDGET).inner_text()
    assert "; and 41 more" in page.locator(WIDGET).inner_text()
    assert page.locator(f"{WIDGET} :is(img, b, i)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    hostile = {"\u202e" * 10_000: entry("\u202e" * 10_000)}
    assert len(chosen(page, packed(hostile, ONE), name="\u202e" * 200)) <= 200


def test_the_same_file_can_be_chosen_again(page, tmp_path):
    path = tmp_path / "m.safetensors"
    for count in (2, 3):
        save_file({"a": torch.ones(count)}, path)
        assert f"1 tensor with {count} values" in chosen(page, path)


def test_files_of_torch_save_are_told_by_their_first_bytes(page, tmp_path):
    for is_zip, what in ((True, "a zip archive, such as torch.save writes"), (False, "a pickle")):
        torch.save(
            {"weight": torch.ones(1)}, tmp_path / "line.pt", _use_new_zipfile_serialization=is_zip
        )
        sentence = f"line.pt is {what}: save the model with save_model and choose that file"
        assert chosen(page, tmp_path / "line.pt") == sentence


def test_a_file_that_cannot_be_read_is_named(open_inspector):
    page = open_inspector()
    page.evaluate("""() => {
      Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException("gone"));
    }""")
    assert chosen(page, packed({})) == "m.safetensors could not be read: choose it again"


def test_one_file_can_be_dropped(page, tmp_path):
    content = encoded([save({"weight": torch.ones(3)})])[0]
    file = f"new File([Uint8Array.from(atob('{content}'), c => c.charCodeAt(0))], 'm.safetensors')"
    assert "1 tensor with 3 values" in drop(page, f"data.items.add({file})")
    two = f"data.items.add({file}); data.items.add({file})"
    assert drop(page, two) == "You dropped 2 files: drop one of them"
    assert page.locator(f"{WIDGET} tr").count() == 0
    assert "no file" in drop(page, "data.setData('text/plain', 'a')")
    assert page.locator(".inspector-drop.over").count() == 0


def test_a_dropped_folder_is_refused(page, tmp_path):
    box = page.locator(".inspector-drop").bounding_box()
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 10,
                "y": box["y"] + 10,
                "data": {"items": [], "files": [str(tmp_path)], "dragOperationsMask": 1},
            },
        )
    assert said(page) == "You dropped a folder: drop one file of it"


def test_the_keyboard_is_enough(open_inspector):
    page = open_inspector()
    file = {"name": "m.safetensors", "mimeType": "", "buffer": save({"a": torch.ones(2)})}
    page.on("filechooser", lambda chooser: chooser.set_files(file))
    page.locator(f"{WIDGET} input").focus()
    page.keyboard.press("Enter")
    assert "1 tensor with 2 values" in said(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_text("Its checksum fits").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "Tensors in line.safetensors"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_with_a_listing_and_with_an_error(
    open_inspector, node_modules, line, scheme
):
    page = open_inspector(color_scheme=scheme, viewport={"width": 390, "height": 800})
    page.evaluate((node_modules / "axe-core" / "axe.min.js").read_text())
    for file, expected in ((None, None), (line[0], "is whole"), (b"", "is empty")):
        if file is not None:
            assert expected in chosen(page, file)
        assert page.evaluate(f"axe.run('{WIDGET}').then((done) => done.violations)") == []
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        for control in page.locator(f"{WIDGET} :is(label, button)").all():
            assert min(control.bounding_box()[side] for side in ("width", "height")) >= 24


def test_without_javascript_the_page_says_where_to_look(open_page):
    page = open_page("workflow/5-saving/", java_script_enabled=False)
    assert "The snippet above" in page.locator(WIDGET).inner_text()
