import io, logging
stream = io.StringIO()
log = logging.getLogger("differential")
log.propagate = False
handler = logging.StreamHandler(stream)
handler.setFormatter(logging.Formatter("%(levelname).1s %(name)s %(funcName)s: %(message)s"))
log.handlers[:] = [handler]
log.setLevel("DEBUG")
def work():
    log.debug("n=%d", 5)
    log.warning("%s", {"a": 1})
work()
stream.getvalue()
