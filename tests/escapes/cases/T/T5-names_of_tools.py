# host = "workshop"
# policy = true
# about = "A tool that is denied is not called by another way to write its name."
# also = ["subprocess"]
# expect = "value:[]"
got = []
names = ["vault.open", "Vault.open", "VAULT.OPEN", "vault.open.", " vault.open", "vault.open ", "vault..open", ".vault.open", "vault.open.open", "vault.open.open.open", "vault.\u043epen", "vault.open\u200b", "vault.open\0", "vault/open", "math.add/../vault.open", "tools.vault.open", "vault.list", "*", "vault.*", "vault\uff0eopen"]
for name in names:
    for call in (
        lambda: tools._host.call("tools", "call", {"name": name, "args": {}}),
        lambda: getattr(tools, name)(),
        lambda: getattr(tools.math, name)(),
    ):
        try:
            got.append([name, call()])
        except (ToolError, AttributeError, TypeError, ValueError):
            pass
got
