"""The environment's addresses, proxies and certificates: each wrong value in one line that names its variable.

Without it a client would fail in a library's words, after its retries, and nobody would know which variable was meant.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, lru_cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from fusion_tool.config.addresses import host_of, is_loopback, is_web_address
from fusion_tool.errors import ConfigError

LOCAL_MOUNTS = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""For clients of httpx: hosts that are never reached through a proxy; a local run's data would leave the machine."""
_PROXIES = tuple(name for kind in ("HTTP", "HTTPS", "ALL") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy"))
_WITH_PASSWORD = ("SEARXNG_URL",)
"""The variables whose address may hold a password."""
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def read_address(variable: str) -> str:
    """Return the address in an environment variable, without a slash at its end; empty where none is set.

    Raises:
        ConfigError: It is none, or holds a password. What stands there is not repeated: it may be a key.
    """
    return _checked_address(variable, os.environ.get(variable, ""))


@lru_cache(maxsize=64)
def _checked_address(variable: str, value: str) -> str:
    address = value.strip().rstrip("/")
    if address and not is_web_address(address):
        raise ConfigError("expected an address such as https://example.org/v1", field=variable)
    # Where a key is sent there is one header for both.
    if "@" in urlsplit(address).netloc and variable not in _WITH_PASSWORD:
        raise ConfigError(
            "a URL must not carry a password; put a gateway's into the variable of the key", field=variable
        )
    return address


def environment_proxy(url: str) -> str | None:
    """Return the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`, ...) names for `url`; `None` for none."""
    parts, proxies = urlsplit(url), getproxies()
    host = parts.hostname or ""
    is_direct = proxy_bypass(f"{host}:{parts.port}" if parts.port else host)
    if is_direct or any(_covers(entry.strip(), host) for entry in proxies.get("no", "").split(",")):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return _with_scheme(proxy) if proxy else None


def _covers(entry: str, host: str) -> bool:
    """Tell whether an entry of `NO_PROXY` covers a host by one of the forms that urllib does not know."""
    if entry.startswith("*"):
        return host.endswith(entry[1:].lower())
    with suppress(ValueError):
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    return False


def _with_scheme(proxy: str) -> str:
    # As clients read it: without a scheme it is http.
    return proxy if "://" in proxy else f"http://{proxy}"


def model_proxy(url: str) -> str | None:
    """Return the proxy of a request to a model; `None` for none, as for any on this machine."""
    return None if is_loopback(host_of(url)) else environment_proxy(url)


def proxy_variable(url: str) -> str:
    """Return the variable whose proxy a request to `url` takes; empty where it takes none."""
    with suppress(ValueError):
        if proxy := model_proxy(url):
            named = (name for name in reversed(_PROXIES) if _with_scheme(os.environ.get(name, "")) == proxy)
            return next(named, "the system's settings")
    return ""


@cache
def tls_context() -> ssl.SSLContext:
    """Return the process's one TLS context for httpx: loading the certificates takes longer than many requests."""
    from httpx import create_ssl_context

    return create_ssl_context()


def check_network() -> None:
    """Refuse proxies and certificates that no client can use.

    Raises:
        ConfigError: One of the variables is wrong; `field` names it.
    """
    for fault in network_faults():
        raise fault


def network_faults() -> Iterator[ConfigError]:
    """Return what is wrong with the variables for proxies and certificates, each by its name."""
    for name in (*_PROXIES, "NO_PROXY", "no_proxy"):
        if value := os.environ.get(name, "").strip():
            fault = _bypass_fault(value) if "no" in name.lower() else _proxy_fault(value)
            if fault:
                yield ConfigError(fault, field=name)
    if file := os.environ.get("SSL_CERT_FILE"):
        if fault := _certificates_fault(file):
            yield ConfigError(fault, field="SSL_CERT_FILE")
    elif (folder := os.environ.get("SSL_CERT_DIR")) and not Path(folder).is_dir():
        yield ConfigError(f"{folder} is no folder; name one with certificates, or unset it", field="SSL_CERT_DIR")


def _proxy_fault(proxy: str) -> str | None:
    url = _with_scheme(proxy)
    scheme = url.partition("://")[0].lower()
    if scheme not in _PROXY_SCHEMES or not is_web_address(f"http{url[len(scheme) :]}"):
        return "expected a proxy's address such as http://proxy.example.org:3128"
    if scheme.startswith("socks") and find_spec("socksio") is None:
        return "a SOCKS proxy needs a package: pip install socksio"
    return None


def _bypass_fault(hosts: str) -> str | None:
    is_list = all(len(host.split()) <= 1 for host in hosts.split(","))
    return None if is_list else "expected hosts with commas between them, such as localhost,.example.org"


def _certificates_fault(file: str) -> str | None:
    try:
        return _pem_fault(file, Path(file).stat().st_mtime_ns)
    except OSError as error:
        return f"cannot read {file}: {error.strerror}; name a file of certificates (PEM), or unset it"


# By its time: a file of certificates takes milliseconds, and is looked at before every run.
@lru_cache(maxsize=1)
def _pem_fault(file: str, _modified: int) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        return f"{file} holds no certificates in PEM; name a file that does, or unset it"
    return None
