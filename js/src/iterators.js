// Iterators that look for signals.
//
// Python looks for signals between its own instructions. A function of C that consumes an endless
// iterator, as in `sum(range(10**12))`, never comes to one. So the iterators that can be endless by
// themselves look, each time that they are asked for their next item: in the function table there is,
// in place of the function that gives it, one that looks and then calls that function.

/** Where a type has the number of that function (`tp_iternext`), in bytes. */
const NEXT_AT = 112;

/** The types, in Python. */
const ENDLESS = `
import itertools
[id(kind) for kind in (
    type(iter(range(0))), type(iter(range(1 << 70))), type(iter(int, 1)), itertools.count,
    itertools.cycle, itertools.repeat, itertools.product, itertools.permutations,
    itertools.combinations, itertools.combinations_with_replacement,
)]
`;

/**
 * WebAssembly that imports a memory, `check: () -> i32` and functions `0`, `1`, ... of one argument,
 * and exports as many, which call `check` when the word at `signal` is not zero, give 0 when that
 * gives a negative number, and what the imported function gives else.
 */
function checkedFunctions(count, signal) {
    const number = (value) => {
        const bytes = [];
        for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
        return [...bytes, value];
    };
    // A signed number: the last byte has a bit less.
    const constant = (value) => {
        const bytes = number(value);
        const last = bytes.pop();
        return [0x41, ...bytes, ...(last < 64 ? [last] : [last | 128, 0])];
    };
    const name = (text) => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))];
    const section = (id, entries) => {
        const content = [...number(entries.length), ...entries.flat()];
        return [id, ...number(content.length), ...content];
    };
    const numbers = Array.from({ length: count }, (_, index) => index);
    const body = (index) => {
        const look = [...constant(signal), 0x28, 2, 0, 0x04, 0x40, 0x10, 0]; // if load, check()
        const stop = [0x41, 0, 0x48, 0x04, 0x40, 0x41, 0, 0x0f, 0x0b, 0x0b]; // if < 0, return 0
        const next = [0x20, 0, 0x10, ...number(index + 1), 0x0b]; // the function's own
        const code = [0, ...look, ...stop, ...next];
        return [...number(code.length), ...code];
    };
    return new Uint8Array([
        ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...section(1, [
            [0x60, 0, 1, 0x7f],
            [0x60, 1, 0x7f, 1, 0x7f],
        ]),
        ...section(2, [
            [...name("e"), ...name("memory"), 2, 0, 1],
            [...name("e"), ...name("check"), 0, 0],
            ...numbers.map((index) => [...name("f"), ...name(String(index)), 0, 1]),
        ]),
        ...section(
            3,
            numbers.map(() => [1]),
        ),
        ...section(
            7,
            numbers.map((index) => [...name(String(index)), 0, ...number(count + 1 + index)]),
        ),
        ...section(10, numbers.map(body)),
    ]);
}

/**
 * Puts the functions into the table, behind what is there, or where `known` says.
 * @param {{ at: number, functions: number[] }} known numbers of the table
 */
function fillTable(exports, signal, known) {
    const { memory, __indirect_function_table: table, PyErr_CheckSignals: check } = exports;
    const count = known.functions.length;
    const missing = known.at + count - table.length;
    if (missing > 0) table.grow(missing);
    const originals = known.functions.map((at) => table.get(at));
    const module = new Module(checkedFunctions(count, signal));
    const made = new Instance(module, { e: { memory, check }, f: { ...originals } });
    for (let index = 0; index < count; index += 1) {
        table.set(known.at + index, made.exports[String(index)]);
    }
}

/** Makes the types use functions that look, once, before a snapshot; gives what `fillTable` needs. */
function checkIterators(module, exports, signal, addresses) {
    const words = module.HEAPU32;
    const places = addresses.map((type) => (type + NEXT_AT) >>> 2);
    const functions = [...new Set(places.map((place) => words[place]))];
    const known = { at: exports.__indirect_function_table.length, functions };
    fillTable(exports, signal, known);
    for (const place of places) words[place] = known.at + functions.indexOf(words[place]);
    return known;
}
