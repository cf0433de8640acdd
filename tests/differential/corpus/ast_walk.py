import ast
tree = ast.parse("def f(a, *, b=1):\n    return [x ** 2 for x in a if x > b]\nprint(f([1, 2, 3]))")
names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
class Double(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant(node.value * 2), node)
changed = ast.fix_missing_locations(Double().visit(tree))
exec(compile(changed, "<t>", "exec"))
(names, ast.unparse(changed).splitlines()[-1], ast.literal_eval("{'a': (1, -2.5)}"))
