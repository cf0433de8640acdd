# host = "workshop"
# policy = true
# about = "An approval that one session was given is not another one's."
# expect = "value:0"
try:
    tools.bank.transfer(to="alice", amount=1)
except ToolError:
    pass
tools.clerk.approve()
# ---- next session
try:
    tools.bank.transfer(to="alice", amount=1)
    paid = 1
except ToolError:
    paid = 0
paid
