# host = "workshop"
# policy = true
# about = "A rule that lets three calls through lets three through, whether they are made one by one or at once."
# expect = "value:[]"
import asyncio

answers = await asyncio.gather(*(tools.vault.count() for _ in range(50)), return_exceptions=True)
passed = [answer for answer in answers if isinstance(answer, int)]
for _ in range(10):
    try:
        passed.append(tools.vault.count())
    except ToolError:
        pass
passed[3:]
