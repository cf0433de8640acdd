# host = "workshop"
# policy = true
# about = "An approval is used once, one after the other and at once."
# expect = "value:1"
import asyncio

try:
    tools.bank.transfer(to="alice", amount=1)
except ToolError:
    pass
tools.clerk.approve()
answers = await asyncio.gather(*(tools.bank.transfer(to="alice", amount=1) for _ in range(20)), return_exceptions=True)
[answer for answer in answers if answer == "paid"].count("paid")
