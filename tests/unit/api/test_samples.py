"""Whatever a body holds, its examples say the same in every language."""

import ast
import json
import shlex
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.api.samples import in_curl, in_javascript, in_python

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(st.dictionaries(TEXTS, BODIES))
def test_a_body_is_the_same_in_every_language(body: dict[str, Any]) -> None:
    words = shlex.split(in_curl("POST", "/x", body, has_key=True).replace("\\\n", ""))
    assert json.loads(words[words.index("-d") + 1]) == body
    tree = ast.parse(in_python("POST", "/x", body, has_key=True, is_json=True))
    [assigned] = [node.value for node in tree.body if isinstance(node, ast.Assign)][:1]
    assert ast.literal_eval(assigned) == body
    script = in_javascript("POST", "/x", body, has_key=True, is_json=True)
    written = script.partition("JSON.stringify(")[2].rpartition("),\n});")[0]
    assert json.loads(written) == body  # what is JSON is JavaScript
