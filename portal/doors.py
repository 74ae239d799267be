"""What every request has to pass, and what every answer carries: the house's doors in one place (docs/security.md)."""

from ipaddress import ip_address

import structlog
from flask import Flask, Response, abort, current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.limiting import Bucket, Limits

__all__ = ["HEADERS", "count_wrong", "from_another_site", "limited", "limits", "over_https_or_here", "put_up"]

log = structlog.get_logger()

HEADERS = {
    # Everything comes from this host; no inline script or style, so markup in a message can never run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self'; worker-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    # The address of a page is its key: it must not travel to other sites.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_A_YEAR = "max-age=31536000"

_HARMLESS = ("GET", "HEAD", "OPTIONS")


def put_up(app: Flask, *, behind_proxy: bool) -> None:
    """Put the doors into the application. `behind_proxy`: believe one reverse proxy what it says of who asks."""
    app.extensions["bedside limits"] = Limits()
    if behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]

    @app.before_request
    def _same_site() -> None:
        # Robots and other programs bring a token with each request, which no other site can make a browser send.
        if request.method not in _HARMLESS and not request.path.startswith("/api/") and from_another_site():
            log.warning("refused", reason="from another site", endpoint=request.endpoint)
            abort(403)

    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", _A_YEAR)
        if request.endpoint is None or not request.endpoint.endswith("static"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def from_another_site() -> bool:
    """Whether a browser says that a page of another origin made this request. A program says nothing of the kind."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and origin != request.host_url.rstrip("/")


def over_https_or_here() -> bool:
    """Whether nobody between can read along: by HTTPS, or from this machine."""
    try:
        return request.is_secure or ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def limits() -> Limits:
    found: Limits = current_app.extensions["bedside limits"]
    return found


def count_wrong() -> None:
    """For a link or a token that opens nothing: end the request with 429 when too many came from there."""
    limited(limits().wrong, request.remote_addr or "")


def limited(bucket: Bucket, who: str) -> None:
    """End the request with 429 when `who` asks too often."""
    if not bucket.take(who):
        abort(429)
