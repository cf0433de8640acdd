# about = "A kernel that speaks for itself on its own sockets gives the host data, and no result of its choice for another session."
# backends = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 8000
from IPython import get_ipython

kernel = get_ipython().kernel
session = kernel.session
for kind, content in (
    ("status", {"execution_state": "idle"}),
    ("execute_reply", {"status": "ok", "execution_count": 1}),
    ("stream", {"name": "stdout", "text": "forged"}),
    ("input_request", {"prompt": "password: ", "password": True}),
    ("error", {"ename": "X", "evalue": "y", "traceback": []}),
    ("display_data", {"data": {"application/x-python-pickle": "gASVAAAA"}, "metadata": {}}),
):
    for parent in (kernel.get_parent(), {}, {"header": {"msg_id": "other"}}):
        try:
            session.send(kernel.iopub_socket, kind, content, parent=parent, ident=b"x")
        except Exception:
            pass
