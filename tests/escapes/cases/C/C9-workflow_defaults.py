# about = "A workflow whose default arguments never end is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
workflows.create("spin", """
async def run(n=max(iter(int, 1))):
    return n
""")
workflows.spin()
