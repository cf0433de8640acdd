//! The deno-sandbox wall: Pyodide in a V8 isolate.
