"""What the evaluator needs under Pyodide: a port of JavaScript functions, and a session to snapshot."""
