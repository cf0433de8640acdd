"""What the evaluator needs under Pyodide: a port of JavaScript functions, a session to snapshot."""
