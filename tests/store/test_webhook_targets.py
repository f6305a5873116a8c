"""Where notifications may not go."""

from __future__ import annotations

import pytest

from contracts.settings import Webhooks
from store.webhooks.targets import TargetRefused, address_fault, check_addresses, literal_fault, read_url

CLOSED = Webhooks()
PRIVATE = [
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255", "fc00::1", "fd12:3456::1", "fec0::1",
    "::ffff:10.0.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1", "255.255.255.255", "2001:db8::1", "192.0.0.1",
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]
NEVER = [
    "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0", "224.0.0.1", "239.1.1.1", "ff02::1",
    "::ffff:169.254.169.254", "::ffff:224.0.0.1", "::ffff:0.0.0.0",
]
CARRIED = [
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::",
    "2001:0:a00:1::f5ff:fffe", "::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
]
GOOD = ["8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", [*PRIVATE, *LOOPBACK, *NEVER, *CARRIED])
def test_an_address_is_refused(address: str) -> None:
    assert address_fault(address, CLOSED)
    with pytest.raises(TargetRefused):
        check_addresses(["8.8.8.8", address], CLOSED)


@pytest.mark.parametrize("address", GOOD)
def test_a_public_address_is_admitted(address: str) -> None:
    assert address_fault(address, CLOSED) == ""


def test_private_networks_are_admitted_by_name() -> None:
    some = Webhooks(allow_networks=("10.0.0.0/8", "100.64.0.0/10", "fc00::/7"))
    assert [one for one in PRIVATE if not address_fault(one, some)] == [
        "10.1.2.3", "100.64.0.1", "100.127.255.255", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.1"
    ]


@pytest.mark.parametrize("address", [*LOOPBACK, *NEVER])
def test_no_network_admits_loopback_or_what_is_no_host(address: str) -> None:
    everything = Webhooks(allow_networks=("0.0.0.0/0", "::/0"))
    assert address_fault(address, everything)


def test_loopback_is_admitted_by_its_own_setting_alone() -> None:
    some = Webhooks(allow_loopback=True)
    assert [address_fault(one, some) for one in LOOPBACK] == [""] * len(LOOPBACK)
    assert all(address_fault(one, some) for one in (*PRIVATE, *NEVER))


@pytest.mark.parametrize("url", [
    "ftp://shop.example/", "shop.example/x", "http://", "http:///x", "http://user@shop.example/",
    "http://user:word@shop.example/", "http://@shop.example/", "http://shop.example:99999/", "http://shop.example/a b",
    "http://shop.example/\r\nHost: x", "http://[::1", "javascript:alert(1)", "",
])
def test_a_url_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_url(url)


def test_a_url_is_taken_apart() -> None:
    target = read_url("https://Shop.Example.:8443/hook?a=1&b=ä#part")
    assert (target.secure, target.host, target.port) == (True, "shop.example", 8443)
    assert target.path == "/hook?a=1&b=%C3%A4"
    assert target.authority == "shop.example:8443"
    assert read_url("http://bücher.example").host == "xn--bcher-kva.example"
    assert read_url("http://[2606:4700::1]/x").authority == "[2606:4700::1]"


@pytest.mark.parametrize(("url", "named"), [
    ("http://127.0.0.1/", "webhooks.allow_loopback"), ("http://localhost:99/x", "webhooks.allow_loopback"),
    ("http://10.0.0.1/", "webhooks.allow_networks"), ("http://a@b.example/", "user info"),
])
def test_a_literal_host_is_refused_when_it_is_set(url: str, named: str) -> None:
    assert named in literal_fault(url, CLOSED)
    assert literal_fault("https://shop.example/hook", CLOSED) == ""
