# host = "workshop"
# about = "Nor does one name another host, method or credential."
# expect = "value:[]"
out = []
for more in ({"base_url": "http://evil"}, {"method": "DELETE"}, {"headers": {"Host": "evil"}}, {"Authorization": "x"}, {"path": "/admin"}, {"body": "x"}, {"query": "x"}, {"host": "evil"}, {"url": "http://evil"}):
    try:
        out.append([more, tools.api.item(id="1", **more)])
    except ToolError:
        pass
out
