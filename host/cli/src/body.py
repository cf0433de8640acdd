def _run_body(source, names):
    import ast
    from inspect import iscoroutinefunction as waits

    tree = ast.parse(source, "<body>")
    for keyword in ("", "async "):
        module = ast.parse(f"{keyword}def body(): pass")
        function = module.body[0]
        function.body = tree.body or function.body
        ast.fix_missing_locations(module)
        try:
            code = compile(module, "<body>", "exec", dont_inherit=True)
        except SyntaxError as error:
            if keyword or "async" not in (error.msg or ""):
                raise
            continue
        break
    exec(code, names)
    function = names.pop("body")
    return waits(function), function


_waits, _body = _run_body(
    BODY_OF_THE_FUNCTION,
    {
        "__builtins__": __builtins__,
        "__name__": "__body__",
        **{
            name: globals()[name]
            for name in ("tools", "workflows", "artifacts", "deps")
            if name in globals()
        },
    },
)
del _run_body
(await _body()) if _waits else _body()
