import xml.etree.ElementTree as ET
root = ET.fromstring("<a x='1'><b>t<c/>tail</b><b k='v'>u&amp;</b></a>")
ET.SubElement(root, "new", {"q": "<>"}).text = "é"
[[(e.tag, e.attrib, e.text, e.tail) for e in root.iter()], ET.tostring(root, encoding="unicode"), [b.text for b in root.findall("./b[@k]")]]
