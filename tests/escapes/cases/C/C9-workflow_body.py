# about = "A workflow that never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
workflows.create("spin", """
async def run():
    while True:
        pass
""")
await workflows.spin()
