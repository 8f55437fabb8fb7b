"""The sync app as taught, patched by fastapi-overflow: a cure of its deadlock (plan `deadlock`).

The patch replaces a private function of FastAPI: responses are validated by threads of their own.
"""

import fastapi_overflow

fastapi_overflow.patch()  # before a request, as its documentation says

from apps.sync_app.main import app  # noqa: E402, F401
