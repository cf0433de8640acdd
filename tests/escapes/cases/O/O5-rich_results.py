# about = "Rich results have a limit, and what they are called means nothing to the host."
# expect = "any"
# host_mib = 128
class Rich:
    def _repr_mimebundle_(self, **kwargs):
        return {"text/html": "<script>alert(1)</script>", "application/x-python-pickle": "gASV", "../../etc/x": "y", "": "z", 3: 4}

    def _repr_png_(self):
        return b"\x89PNG" * 10**7

    def _repr_svg_(self):
        return "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><svg>" + "&a;" * 10**6


Rich()
