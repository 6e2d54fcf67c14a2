"""What /openapi.json says is what the service does: judged by tools that know nothing of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.api.serving import Api
from tests.keys import make

LIMIT_S = 240
HOOKS = str(Path(__file__).with_name("beyond_schemas.py"))
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "positive_data_acceptance",
        "missing_required_header",
        "unsupported_method",
        "allow_header_conformance",
        "use_after_free",
        "ensure_resource_availability",
    ]
)


@pytest.mark.needs("schemathesis")
def test_the_document_is_valid_openapi(api: Api) -> None:
    from openapi_spec_validator import validate

    validate(api.get("/openapi.json").json)


@pytest.mark.slow
@pytest.mark.needs("schemathesis")
@pytest.mark.parametrize("who", ["anybody", "an admin"])
def test_no_made_up_request_is_answered_otherwise_than_described(
    api: Api, db, tmp_path: Path, who: str
) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    key, own = [], {"SCHEMATHESIS_HOOKS": HOOKS}
    if who == "an admin":
        made = make(db, "admin")
        key = ["--header", f"Authorization: Bearer {made}"]
        own |= {"TEST_KEY_ID": made.id}
        api.read_keys()
    ran = subprocess.run(
        [program, "run", f"http://127.0.0.1:{api.port}/openapi.json", "--checks", CHECKS, *key,
         "--phases", "examples,coverage,fuzzing", "--max-examples", "50", "--seed", "1",
         "--suppress-health-check", "all", "--no-color"],
        cwd=tmp_path, env=os.environ | own,
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-20_000:]
    if key:
        assert api.get("/keys", Authorization=f"Bearer {made}").status == 200, "asked without a key"
