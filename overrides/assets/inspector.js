// The model inspector: lists what is in a safetensors file, without sending it anywhere.
// The format: https://huggingface.co/docs/safetensors/index#format

const TABLE_LIMIT = 100_000_000; // bytes, safetensors' own
const CHECKSUM_LIMIT = 50_000_000; // bytes, read whole
const ROWS = 100;
const VALUES = 3;

// Per dtype: PyTorch's name, bits per value, and the value at a byte.
const DTYPES = new Map([
  ["BOOL", ["bool", 8, (view, at) => view.getUint8(at) !== 0]],
  ["U8", ["uint8", 8, (view, at) => view.getUint8(at)]],
  ["I8", ["int8", 8, (view, at) => view.getInt8(at)]],
  ["U16", ["uint16", 16, (view, at) => view.getUint16(at, true)]],
  ["I16", ["int16", 16, (view, at) => view.getInt16(at, true)]],
  ["U32", ["uint32", 32, (view, at) => view.getUint32(at, true)]],
  ["I32", ["int32", 32, (view, at) => view.getInt32(at, true)]],
  ["U64", ["uint64", 64, (view, at) => view.getBigUint64(at, true)]],
  ["I64", ["int64", 64, (view, at) => view.getBigInt64(at, true)]],
  ["F64", ["float64", 64, (view, at) => view.getFloat64(at, true)]],
  ["F32", ["float32", 32, (view, at) => view.getFloat32(at, true)]],
  ["F16", ["float16", 16, (view, at) => float(view.getUint16(at, true), 5, 10, 15)]],
  ["BF16", ["bfloat16", 16, (view, at) => float(view.getUint16(at, true), 8, 7, 127)]],
  ["F8_E5M2", ["float8_e5m2", 8, (view, at) => float(view.getUint8(at), 5, 2, 15)]],
  ["F8_E4M3", ["float8_e4m3fn", 8, (view, at) => finite(view.getUint8(at), 4, 3, 7, [127, 255])]],
  ["F8_E5M2FNUZ", ["float8_e5m2fnuz", 8, (view, at) => finite(view.getUint8(at), 5, 2, 16, [128])]],
  ["F8_E4M3FNUZ", ["float8_e4m3fnuz", 8, (view, at) => finite(view.getUint8(at), 4, 3, 8, [128])]],
  ["F8_E8M0", ["float8_e8m0fnu", 8, (view, at) => power(view.getUint8(at))]],
  ["C64", ["complex64", 64, (view, at) => [view.getFloat32(at, true), view.getFloat32(at + 4, true)]]],
  ["F4", ["float4", 4]], // PyTorch reads no values of these three
  ["F6_E2M3", ["float6_e2m3", 6]],
  ["F6_E3M2", ["float6_e3m2", 6]],
]);

function finite(bits, exponentBits, mantissaBits, bias, nans) {
  const sign = bits >> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const mantissa = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  if (nans.includes(bits)) return NaN;
  return sign * (exponent ? (1 + mantissa) * 2 ** (exponent - bias) : mantissa * 2 ** (1 - bias));
}

function float(bits, exponentBits, mantissaBits, bias) {
  const value = finite(bits, exponentBits, mantissaBits, bias, []);
  const largest = 2 ** (bias + 1);
  return Math.abs(value) > largest ? NaN : Math.abs(value) === largest ? value * Infinity : value;
}

function power(bits) {
  return bits === 255 ? NaN : 2 ** (bits - 127);
}

// Text from outside, short, on one line, and with what is invisible or turns the line made visible.
function show(text, limit = 40) {
  const escape = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;
  const shown = text.slice(0, limit).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escape);
  return text.length > limit || shown.length > limit ? `${shown.slice(0, limit)}…` : shown;
}

function grouped(number) {
  return number.toLocaleString("en");
}

function isText(value) {
  return typeof value === "string" && !/\p{Cs}/u.test(value);
}

function areCounts(list) {
  return Array.isArray(list) && list.every((count) => Number.isSafeInteger(count) && count >= 0);
}

async function read(file, start, end) {
  return file.slice(start, end).arrayBuffer();
}

const SPACE = "[ \\t\\n\\r]*";
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

// The entries of the table. It is read entry by entry, as JSON.parse alone is slow for a million of
// them, keeps the last of two with the same name, and does not tell 4.0 from 4.
function* rows(text, fail) {
  const string = STRING.source;
  const flat = `\\{[^{}"]*(?:${string}[^{}"]*)*\\}`;
  const row = new RegExp(`${SPACE}(${string})${SPACE}:${SPACE}(${flat}|null)${SPACE}([,}])`, "y");
  const start = new RegExp(`${SPACE}\\{(${SPACE}\\})?`, "y");
  const end = new RegExp(`${SPACE}$`, "y");
  const opened = start.exec(text);
  if (!opened) fail("has a table that is no JSON object");
  let at = start.lastIndex;
  for (let mark = opened[1] ? "}" : ","; mark === ","; at = row.lastIndex) {
    row.lastIndex = at;
    const found = row.exec(text);
    let name, entry;
    try {
      [name, entry] = JSON.parse(`[${found[1]},${found[2]}]`);
    } catch {
      fail(`has a table that at character ${grouped(at)} is not JSON of the format`);
    }
    yield { at, name, entry, source: found[2] };
    mark = found[3];
  }
  end.lastIndex = at;
  if (!end.test(text)) fail(`has a table that does not end at character ${grouped(at)}`);
}

// What is in the file, or an error of one sentence: { notes, start, tensors }, with the tensors in
// the order of their numbers, which begin at byte `start`.
export async function parse(file) {
  const fail = (what, remedy = "take another copy of it") => {
    throw new Error(`${show(file.name)} ${what}: ${remedy}`);
  };
  const other = "choose a file that save_model wrote";
  if (file.size === 0) fail("is empty", other);
  if (file.size < 8) fail(`has ${file.size} bytes, and 8 for a length were expected first`, other);
  const head = new DataView(await read(file, 0, 8));
  const length = Number(head.getBigUint64(0, true));
  const start = 8 + length;
  if (length > TABLE_LIMIT || start > file.size) {
    const remedy = "save the model with save_model and choose that file";
    if (head.getUint16(0) === 0x504b) fail("is a zip archive, such as torch.save writes", remedy);
    if (head.getUint8(0) === 0x80 && head.getUint8(1) < 6) fail("is a pickle", remedy);
    const claim = `its first 8 bytes promise a table of ${grouped(length)} bytes`;
    if (length > TABLE_LIMIT) fail(`is no safetensors file, ${claim}, over the limit`, other);
    fail(`is cut short or no safetensors file, ${claim} and ${grouped(file.size - 8)} follow`);
  }

  let text;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    text = decoder.decode(await read(file, 8, start));
  } catch (error) {
    if (error instanceof TypeError) fail("has a table that is not UTF-8 text");
    throw error;
  }

  const tensors = [];
  const names = new Set();
  let notes = {};
  for (const { at, name, entry, source } of rows(text, fail)) {
    const whose = `of “${show(name)}”`;
    if (names.has(name)) fail(`has a second entry ${whose} at character ${grouped(at)}`);
    names.add(name);
    if (name === "__metadata__") {
      notes = entry ?? {};
      const colons = source.replace(STRING, "").split(":").length - 1;
      if (colons !== Object.keys(notes).length) fail("has a __metadata__ with a name twice");
      if (!Object.entries(notes).flat().every(isText)) fail("has a __metadata__ that is not all text");
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry ?? {};
    if (!isText(name)) fail(`has a name that is no Unicode text, “${show(name)}”`);
    if (!isText(dtype)) fail(`has no dtype ${whose}`);
    if (!DTYPES.has(dtype)) fail(`has a dtype ${whose} that is not known, “${show(dtype)}”`, other);
    if (!areCounts(shape)) fail(`has a shape ${whose} that is no list of whole numbers`);
    if (!areCounts(offsets) || offsets.length !== 2) {
      fail(`has data_offsets ${whose} that are not two whole numbers`);
    }
    if (source.split(":").length !== 4) fail(`has more than dtype, shape and data_offsets ${whose}`);
    if (/[-.]|\de/i.test(source)) fail(`has a number ${whose} that is written as a fraction`);
    tensors.push({ name, dtype, shape, start: offsets[0], end: offsets[1] });
    if (tensors.length % 20_000 === 0) await new Promise((go) => setTimeout(go)); // the page lives
  }

  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = 0;
  for (const tensor of tensors) {
    const whose = `of “${show(tensor.name)}”`;
    if (tensor.start !== end || tensor.end < end) {
      const found = `${grouped(tensor.start)} to ${grouped(tensor.end)}`;
      fail(`has the numbers ${whose} at ${found}, they were expected from ${grouped(end)} on`);
    }
    end = tensor.end;
    tensor.count = 1;
    for (const size of tensor.shape) {
      tensor.count *= size;
      if (tensor.count >= 2 ** 64) fail(`has a shape ${whose} that no memory can hold`);
    }
    const needed = (tensor.count * DTYPES.get(tensor.dtype)[1]) / 8;
    if (end - tensor.start !== needed) {
      const found = grouped(end - tensor.start);
      fail(`has ${found} bytes ${whose}, its shape and dtype need ${grouped(needed)}`);
    }
  }
  const found = file.size - start;
  if (found !== end) {
    fail(`has ${grouped(found)} bytes of numbers, its table describes ${grouped(end)}`);
  }
  return { notes, start, tensors };
}

// The first values of a tensor, or undefined where its dtype has none to show.
export async function values(file, { start }, tensor, limit = VALUES) {
  const [, bits, decode] = DTYPES.get(tensor.dtype);
  if (!decode) return undefined;
  const count = Math.min(tensor.count, limit);
  const from = start + tensor.start;
  const view = new DataView(await read(file, from, from + (count * bits) / 8));
  return Array.from({ length: count }, (_, index) => decode(view, (index * bits) / 8));
}

function torchShape(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

const CRC = Int32Array.from({ length: 256 }, (_, crc) => {
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

// What `torch_workflow` keeps as the note crc32.
export async function checksum(file, { start, tensors }) {
  const numbers = new Uint8Array(await read(file, start, file.size));
  const inCodePoints = ({ name }) => name.replace(/[\u{10000}-\u{10ffff}]/gu, "\uffff$&");
  const sorted = tensors.map((tensor) => [inCodePoints(tensor), tensor]);
  let crc = -1;
  for (const [, tensor] of sorted.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const dtype = DTYPES.get(tensor.dtype)[0];
    const title = `${tensor.name} torch.${dtype} ${torchShape(tensor.shape)}`;
    for (const bytes of [new TextEncoder().encode(title), numbers.subarray(tensor.start, tensor.end)]) {
      for (let at = 0; at < bytes.length; at += 1) crc = CRC[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
    }
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

function formatted(value) {
  if (Array.isArray(value)) return `${value.map(formatted).join("+")}j`;
  if (typeof value !== "number") return value === true ? "True" : value === false ? "False" : `${value}`;
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isSafeInteger(value) ? `${value}` : `${Number(value.toPrecision(6))}`;
}

function plural(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

async function table(file, parsed) {
  const shown = parsed.tensors.slice(0, ROWS);
  const previews = await Promise.all(shown.map((tensor) => values(file, parsed, tensor)));
  const body = shown.map((tensor, index) => {
    const preview = previews[index]?.map(formatted) ?? ["not shown"];
    if (previews[index] && tensor.count > VALUES) preview.push("…");
    const [dtype] = DTYPES.get(tensor.dtype);
    const cells = [
      show(torchShape(tensor.shape)),
      dtype,
      grouped(tensor.count),
      grouped(tensor.end - tensor.start),
      preview.join(", "),
    ];
    const name = make("code", { dir: "ltr" }, show(tensor.name, 80) || "“”");
    return make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell)));
  });
  const heads = ["name", "shape", "dtype", "numbers", "bytes", "first values"];
  const rest = parsed.tensors.length - shown.length;
  const label = `Tensors in ${show(file.name)}`;
  return [
    make(
      "div",
      { class: "inspector-scroll", role: "region", "aria-label": label, tabindex: 0 },
      make(
        "table",
        {},
        make("caption", {}, label),
        make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
        make("tbody", {}, ...body),
      ),
    ),
    ...(rest ? [make("p", {}, `and ${plural(rest, "more tensor")}`)] : []),
  ];
}

function noteList(notes) {
  const all = Object.entries(notes);
  if (all.length === 0) return [];
  const shown = all.slice(0, 10).map(([name, note]) => `${show(name)} = ${show(note, 100)}`);
  if (all.length > shown.length) shown.push(`and ${grouped(all.length - shown.length)} more`);
  return [make("p", { dir: "ltr" }, `Notes in the file: ${shown.join("; ")}`)];
}

function isLine({ tensors }) {
  const shapes = { weight: ["(1,)", "(1, 1)"], bias: ["(1,)"] };
  return (
    tensors.length === 2 &&
    tensors.every(
      ({ name, dtype, shape }) =>
        dtype === "F32" && Object.hasOwn(shapes, name) && shapes[name].includes(torchShape(shape)),
    )
  );
}

function rounded(value) {
  return formatted(Number(value.toPrecision(4)));
}

async function line(file, parsed) {
  const number = async (name) => {
    const tensor = parsed.tensors.find((candidate) => candidate.name === name);
    return (await values(file, parsed, tensor))[0];
  };
  const [weight, bias] = [await number("weight"), await number("bias")];
  if (!Number.isFinite(weight) || !Number.isFinite(bias)) {
    return [make("p", {}, "The weight or the bias is nan or infinite, so there is no line to draw.")];
  }
  const equation = `y = ${rounded(weight)}x ${bias < 0 ? "−" : "+"} ${rounded(Math.abs(bias))}`;
  const apart = Math.max(Math.abs(bias - 0.3), Math.abs(weight + bias - 1));
  const heights = [0, 1, bias, weight + bias];
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const x = (value) => 60 + 260 * value;
  const y = (value) => 190 - (150 * (value - low)) / (high - low);
  const path = (from, to) => `M${x(0)} ${y(from)}L${x(1)} ${y(to)}`;
  const tick = (left, top, anchor, text) => draw("text", { x: left, y: top, "text-anchor": anchor }, text);
  const label = `The line in the file, solid, ${equation}, and the true line, dashed, y = 0.7x + 0.3`;
  return [
    draw(
      "svg",
      { class: "inspector-line", viewBox: "0 0 340 230", role: "img", "aria-label": label },
      draw("path", { class: "axis", d: `M${x(0)} 40V190H${x(1)}` }),
      draw("path", { class: "file", d: path(bias, weight + bias) }),
      draw("path", { class: "truth", d: path(0.3, 1) }),
      tick(x(0), 207, "middle", "0"),
      tick(x(1), 207, "middle", "1"),
      tick(x(0.5), 222, "middle", "x"),
      tick(54, 194, "end", rounded(low)),
      tick(54, 44, "end", rounded(high)),
      tick(40, 119, "end", "y"),
      draw("path", { class: "file", d: "M60 10h28" }),
      tick(94, 14, "start", `in the file: ${equation}`),
      draw("path", { class: "truth", d: "M60 26h28" }),
      tick(94, 30, "start", "true line: y = 0.7x + 0.3"),
    ),
    make("p", {}, `From x = 0 to x = 1 the two are at most ${rounded(apart)} apart.`),
  ];
}

// What the file is, in one sentence, whether it is wrong, and what to show of it.
async function inspect(file) {
  const parsed = await parse(file);
  const { notes, tensors } = parsed;
  const name = show(file.name);
  const counted = tensors.reduce((sum, { count }) => sum + count, 0);
  let sentence = `${name} holds ${plural(tensors.length, "tensor")} with ${plural(counted, "value")}. `;
  let isWrong = false;
  if (!Object.hasOwn(notes, "crc32")) {
    sentence += "It has no checksum, so save_model did not write it: load_model takes it with verify=False.";
  } else if (file.size > CHECKSUM_LIMIT) {
    sentence += `Its checksum was not compared, as it has over ${grouped(CHECKSUM_LIMIT)} bytes.`;
  } else {
    const found = await checksum(file, parsed);
    isWrong = found !== notes.crc32;
    if (isWrong) {
      const saved = show(notes.crc32);
      sentence = `${name} is damaged: its contents have the checksum ${found}, it was saved with ${saved}: take another copy of it`;
    } else sentence += "Its checksum fits: the file is whole.";
  }
  const drawing = isLine(parsed) ? await line(file, parsed) : [];
  return { sentence, isWrong, nodes: [...(await table(file, parsed)), ...noteList(notes), ...drawing] };
}

// What page 5 saves as line.safetensors.
const EXAMPLE = 
  "mAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJjcmMzMiI6IjRiOTIzYTljIn0sImJpYXMiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6" +
  "WzFdLCJkYXRhX29mZnNldHMiOlswLDRdfSwid2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRz" +
  "IjpbNCw4XX19INkJmz5JdTI/";

const STYLE = `
.inspector-drop { align-items: center; border: 0.1rem dashed var(--ink-soft); border-radius: 0.2rem; display: flex; flex-wrap: wrap; gap: 0.5rem 0.8rem; padding: 0.8rem; }
.inspector-drop.over { background: var(--accent-soft); border-style: solid; }
.inspector-drop :is(label, button) { border: 0.05rem solid var(--accent); border-radius: 0.2rem; color: var(--accent); cursor: pointer; font: inherit; padding: 0.25rem 0.7rem; position: relative; }
.inspector-drop :is(label, button):hover { background: var(--accent-soft); }
.inspector-drop label:focus-within, .inspector-drop button:focus-visible { outline: 0.1rem solid var(--accent); outline-offset: 0.1rem; }
.inspector-drop input { cursor: pointer; height: 100%; inset: 0; opacity: 0; position: absolute; width: 100%; }
.inspector-said:not(:empty) { border-left: 0.2rem solid var(--accent); overflow-wrap: anywhere; padding-left: 0.6rem; }
.inspector-said.wrong { border-left-style: double; border-left-width: 0.3rem; font-weight: 600; }
.inspector-scroll { overflow-x: auto; }
.inspector-scroll:focus-visible { outline: 0.1rem solid var(--accent); }
.md-typeset .inspector-scroll > table { max-width: none; overflow: visible; }
.inspector-scroll caption { color: var(--ink-soft); padding: 0.4rem 0.6rem; text-align: start; }
.inspector-scroll :is(th, td) { white-space: nowrap; }
.inspector-scroll tbody th { border-top: 0.05rem solid var(--rule); font-weight: inherit; }
.md-typeset .inspector-line { color: var(--ink); display: block; margin-inline: auto; max-width: 19rem; width: 100%; }
.inspector-line text { fill: currentcolor; font-size: 12px; }
.inspector-line path { fill: none; stroke-width: 2; }
.inspector-line .axis { stroke: var(--ink-soft); stroke-width: 1; }
.inspector-line .file { stroke: var(--accent); stroke-width: 4; }
.inspector-line .truth { stroke: var(--ink); stroke-dasharray: 6 4; }
`;

export default function mount(element) {
  if (!document.getElementById("inspector-style")) {
    document.head.append(make("style", { id: "inspector-style" }, STYLE));
  }
  const input = make("input", { type: "file" });
  const example = make("button", { type: "button" }, "Open an example");
  const zone = make(
    "div",
    { class: "inspector-drop" },
    make("label", {}, "Choose a file", input),
    example,
    make("span", {}, "or drop one here. It stays on your device."),
  );
  const said = make("p", { class: "inspector-said", role: "status" });
  const content = make("div");
  let latest = 0;

  function say(sentence, isWrong = false, nodes = []) {
    said.textContent = sentence;
    said.classList.toggle("wrong", isWrong);
    content.replaceChildren(...nodes);
  }

  async function open(file) {
    latest += 1;
    const turn = latest;
    say(`Reading ${show(file.name)}`);
    let found;
    try {
      found = await inspect(file);
    } catch (error) {
      const unread = `${show(file.name)} could not be read: choose it again`;
      found = { sentence: error instanceof DOMException ? unread : error.message, isWrong: true };
    }
    if (turn === latest) say(found.sentence, found.isWrong, found.nodes);
  }

  function refuse(sentence) {
    latest += 1;
    say(sentence, true);
  }

  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) open(file);
    input.value = ""; // so that the same file can be chosen again
  });
  example.addEventListener("click", () => {
    const bytes = Uint8Array.from(atob(EXAMPLE), (character) => character.charCodeAt(0));
    open(new File([bytes], "line.safetensors"));
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const { files, items } = event.dataTransfer;
    const folder = [...items].some((item) => item.webkitGetAsEntry()?.isDirectory);
    if (folder) refuse("You dropped a folder: drop one file of it");
    else if (files.length === 0) refuse("You dropped something that is no file: drop a safetensors file");
    else if (files.length > 1) refuse(`You dropped ${grouped(files.length)} files: drop one of them`);
    else open(files[0]);
  });

  element.replaceChildren(zone, said, content);
  element.dataset.mounted = "";
}
