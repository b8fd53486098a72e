#!/usr/bin/env python3
"""Writes generated.json: vectors for every signature family, made by an implementation in another
language than the one under test. Each run makes new keys; the output is committed.

    python3 -m venv /tmp/vectors
    /tmp/vectors/bin/pip install cryptography PyJWT
    /tmp/vectors/bin/python engine/tests/vectors/generate.py

A vector is a scheme, a request, and what must come of it: `by`, or the code of a rejection in
`rejected`. `fetch` says what may be fetched. `signature` is the text that the tests tamper with, `covers` says whether the whole
body is signed ("body"), the fields in `signed` ("fields"), or nothing of it ("nothing").
"""

import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import urllib.parse
import zlib

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

NOW = 1_770_000_000
URL = "https://hearken.example/v1/webhooks/acme/trg_1"
JWKS = "https://keys.acme.example/jwks.json"
CERTIFICATE = "https://certs.eu-1.acme.example/signing.pem"
BODY = b'{"id":"evt_1","kind":"order","note":"na\xc3\xafve \xe2\x9c\x93","total":12.50}'
BINARY = bytes(range(256))

vectors = []


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def mac(key, message, algorithm="sha256"):
    return hmac.new(key, message, algorithm).digest()


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def jwk(key, kid, alg):
    algorithm = jwt.get_algorithm_by_name(alg)
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": alg, "use": "sig"}


def add(name, scheme, by=None, *, signature=None, body=BODY, headers=None, covers="body", **more):
    """One vector. Further keywords are its other members; `query` belongs to the request."""
    request = {"method": more.pop("method", "POST"), "url": more.pop("url", URL)}
    request["headers"] = headers or {}
    if query := more.pop("query", None):
        request["query"] = query
    request["body_base64"] = b64(body)
    vector = {"id": name, "scheme": scheme, "by": by, "signature": signature, "covers": covers}
    vector |= {"now": NOW, "secrets": [], "request": request}
    vectors.append({key: value for key, value in (vector | more).items() if value is not None})


def symmetric():
    key = b"s3cret of both"
    for algorithm in ["md5", "sha1", "sha256", "sha512"]:
        for encoding, encode in [("hex", bytes.hex), ("base64", b64), ("base64url", b64url)]:
            text = encode(mac(key, BINARY, algorithm))
            add(
                f"hmac-{algorithm}-{encoding}-binary-body",
                {"kind": "hmac", "algorithm": algorithm, "encoding": encoding, "header": "X-S"},
                f"hmac-{algorithm}",
                signature=text,
                secrets=[key.decode()],
                body=BINARY,
                headers={"X-S": text},
            )
        text = hashlib.new(algorithm, BODY + key).hexdigest()
        add(
            f"digest-{algorithm}-secret-last",
            {"kind": "digest", "algorithm": algorithm, "header": "X-S", "message": "{body}{secret}"},
            "digest",
            signature=text,
            secrets=[key.decode()],
            headers={"X-S": text},
        )
    text = hashlib.sha256(key + b"|evt_1|" + key).hexdigest()
    add(
        "digest-secret-around-fields",
        {
            "kind": "digest",
            "body": "/sign",
            "message": "{secret}|{field:/id}|{secret}",
        },
        "digest",
        signature=text,
        secrets=[key.decode()],
        body=json.dumps({"id": "evt_1", "sign": text}).encode(),
        covers="fields",
        signed=["/id"],
    )
    raw = bytes(range(32))
    for name, form, secret in [
        ("hex", {"encoding": "hex"}, raw.hex()),
        ("base64", {"encoding": "base64"}, b64(raw)),
        ("prefixed", {"encoding": "base64", "strip_prefix": "key-"}, "key-" + b64(raw)),
    ]:
        text = mac(raw, BODY).hex()
        add(
            f"hmac-key-{name}",
            {"kind": "hmac", "header": "X-S", "key": form},
            "hmac-sha256",
            signature=text,
            secrets=[secret],
            headers={"X-S": text},
        )
    text = b64(mac(hashlib.sha256(key).digest(), BODY))
    add(
        "hmac-key-hashed",
        {"kind": "hmac", "header": "X-S", "encoding": "base64", "key": {"hash": "sha256"}},
        "hmac-sha256",
        signature=text,
        secrets=[key.decode()],
        headers={"X-S": text},
    )
    timed()
    bound_to_url()
    in_the_body()


def timed():
    key = b"whsec"
    for name, unit, text in [
        ("s", "s", str(NOW)),
        ("ms", "ms", str(NOW * 1000)),
        ("iso", "iso", datetime.datetime.fromtimestamp(NOW, datetime.UTC).isoformat()),
    ]:
        signature = mac(key, text.encode() + b"." + BODY).hex()
        add(
            f"hmac-time-{name}",
            {
                "kind": "hmac",
                "header": "X-S",
                "message": "{timestamp}.{body}",
                "timestamp": {"header": "X-T", "unit": unit, "tolerance": 180},
            },
            "hmac-sha256",
            signature=signature,
            secrets=["older", key.decode()],
            headers={"X-S": signature, "X-T": text},
            tolerance=180,
        )
    signature = mac(key, f"{NOW}.".encode() + BODY).hex()
    for name, value, scheme in [
        ("commas", f"t={NOW},v1={'0' * 64},v1={signature},v0=abc", {"pair": "v1"}),
        ("semicolons", f"ts={NOW};h1={signature}", {"pair": "h1", "separator": ";"}),
    ]:
        time = value.split("=")[0]
        add(
            f"hmac-pairs-{name}",
            {
                "kind": "hmac",
                "header": "X-S",
                "message": "{timestamp}.{body}",
                "timestamp": {"pair": time},
                **scheme,
            },
            "hmac-sha256",
            signature=signature,
            secrets=[key.decode()],
            headers={"X-S": value},
            tolerance=300,
        )
    signature = mac(b"raw secret", f"msg_1.{NOW}.".encode() + BODY)
    add(
        "standard-webhooks-raw-secret",
        {"kind": "standard_webhooks", "header_prefix": "svix-", "key": {}},
        "standard-webhooks",
        signature=b64(signature),
        secrets=["raw secret"],
        headers={
            "svix-id": "msg_1",
            "svix-timestamp": str(NOW),
            "svix-signature": "v1," + b64(signature),
        },
        tolerance=300,
    )


def bound_to_url():
    key = b"token"
    url = "https://hearken.example/hook?a=%3A1%2F2&b=x%20y&c=%2C%3B"
    decoded = "https://hearken.example/hook?a=:1/2&b=x%20y&c=,;"
    text = b64(mac(key, b"POST" + decoded.encode() + BODY + str(NOW * 1000).encode()))
    add(
        "hmac-url-decoded",
        {
            "kind": "hmac",
            "header": "X-S",
            "encoding": "base64",
            "message": "{method}{url_decoded}{body}{timestamp}",
            "timestamp": {"header": "X-T", "unit": "ms"},
        },
        "hmac-sha256",
        signature=text,
        secrets=[key.decode()],
        url=url,
        headers={"X-S": text, "X-T": str(NOW * 1000)},
        tolerance=300,
    )
    digest = hashlib.sha256(BODY).hexdigest()
    url = f"{URL}?bodySHA256={digest}"
    text = b64(mac(key, url.encode(), "sha1"))
    both = [
        {
            "kind": "hmac",
            "algorithm": "sha1",
            "header": "X-S",
            "encoding": "base64",
            "message": "{url}{sorted_form}",
            # A form without fields adds nothing to the URL.
            "body_hash": {"query": "bodySHA256", "optional": True},
        },
        {
            "kind": "hmac",
            "algorithm": "sha1",
            "header": "X-S",
            "encoding": "base64",
            "message": "{url}",
            "body_hash": {"query": "bodySHA256", "algorithm": "sha256", "encoding": "hex"},
        },
    ]
    add(
        "hmac-url-with-hash-of-body",
        both,
        "hmac-sha1",
        signature=text,
        secrets=[key.decode()],
        url=url,
        query=[["bodySHA256", digest]],
        headers={"X-S": text},
    )
    form = [("To", "+1800"), ("Body", "a b"), ("Media", "2"), ("Media", "1"), ("Media", "2")]
    joined = URL + "Bodya bMedia1Media2To+1800"
    text = b64(mac(key, joined.encode(), "sha1"))
    add(
        "hmac-url-with-repeated-fields",
        both,
        "hmac-sha1",
        signature=text,
        secrets=[key.decode()],
        body=urllib.parse.urlencode(form).encode(),
        headers={"X-S": text},
        # What comes twice counts once, so changing one of the two may change nothing.
        covers="nothing",
    )


def in_the_body():
    key = b"api key"
    token = "a" * 50
    text = mac(key, f"{NOW}{token}".encode()).hex()
    add(
        "hmac-fields-of-the-body",
        {
            "kind": "hmac",
            "body": "/signature/signature",
            "message": "{timestamp}{field:/signature/token}",
            "timestamp": {"body": "/signature/timestamp"},
        },
        "hmac-sha256",
        signature=text,
        secrets=[key.decode()],
        body=json.dumps(
            {
                "signature": {"timestamp": str(NOW), "token": token, "signature": text},
                "event-data": {"event": "opened"},
            }
        ).encode(),
        covers="fields",
        signed=["/signature/timestamp", "/signature/token"],
        tolerance=300,
    )
    text = mac(key, b"order-1:9.99").hex()
    add(
        "hmac-form-fields",
        {"kind": "hmac", "body": "sig", "message": "{field:order}:{field:amount}"},
        "hmac-sha256",
        signature=text,
        secrets=[key.decode()],
        body=urllib.parse.urlencode({"order": "order-1", "amount": "9.99", "sig": text}).encode(),
    )
    items = []
    for number in range(5):
        text = b64(mac(key, f"ref-{number}:{number * 100}".encode()))
        items.append({"ref": f"ref-{number}", "amount": number * 100, "sig": text})
    add(
        "hmac-each-item",
        {
            "kind": "hmac",
            "each": "/items",
            "body": "/sig",
            "encoding": "base64",
            "message": "{field:/ref}:{field:/amount}",
        },
        "hmac-sha256",
        signature=items[3]["sig"],
        secrets=[key.decode()],
        body=json.dumps({"items": items}).encode(),
        covers="fields",
        signed=[f"/items/{number}/{field}" for number in range(5) for field in ["ref", "amount"]],
    )
    add(
        "token-each-item",
        {"kind": "token", "each": "/value", "body": "/clientState"},
        "token",
        signature="s3cret-state",
        secrets=["s3cret-state"],
        body=json.dumps({"value": [{"id": 1, "clientState": "s3cret-state"}]}).encode(),
        covers="nothing",
    )


def ed25519_keys():
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes_raw()
    for name, encoding, secret in [
        ("hex", "hex", raw.hex()),
        ("base64", "base64", b64(raw)),
        ("base64url", "base64url", b64url(raw)),
        ("spki", "base64", b64(spki(key))),
        ("pem", "pem", pem(key)),
        ("pem-on-one-line", "pem", pem(key).replace("\n", " ")),
    ]:
        text = key.sign(str(NOW).encode() + BODY).hex()
        add(
            f"ed25519-{name}",
            {
                "kind": "ed25519",
                "header": "X-Signature-Ed25519",
                "message": "{timestamp}{body}",
                "timestamp": {"header": "X-Signature-Timestamp"},
                "public_key": {"secret": encoding},
            },
            "ed25519",
            signature=text,
            secrets=[secret],
            headers={"X-Signature-Ed25519": text, "X-Signature-Timestamp": str(NOW)},
            tolerance=300,
        )
    text = b64(key.sign(str(NOW).encode() + b"|" + BINARY))
    add(
        "ed25519-fixed-key-binary-body",
        {
            "kind": "ed25519",
            "header": "X-S",
            "encoding": "base64",
            "message": "{timestamp}|{body}",
            "timestamp": {"header": "X-T"},
            "public_key": {"pem": pem(key)},
        },
        "ed25519",
        signature=text,
        body=BINARY,
        headers={"X-S": text, "X-T": str(NOW)},
        tolerance=300,
    )
    message = f"msg_1.{NOW}.".encode() + BODY
    text = b64(key.sign(message))
    old = b64(mac(b"symmetric", message))
    add(
        "standard-webhooks-both-versions",
        {"kind": "standard_webhooks"},
        "ed25519",
        signature=text,
        secrets=["whpk_" + b64(raw)],
        headers={
            "webhook-id": "msg_1",
            "webhook-timestamp": str(NOW),
            "webhook-signature": f"v1,{old} v1a,{text}",
        },
        tolerance=300,
    )
    # A public key is no secret: nobody may sign with it.
    for name, forged in [("text", ("whpk_" + b64(raw)).encode()), ("bytes", raw)]:
        add(
            f"standard-webhooks-public-key-as-secret-{name}",
            {"kind": "standard_webhooks", "key": {}},
            rejected="bad_signature",
            secrets=["whpk_" + b64(raw)],
            headers={
                "webhook-id": "msg_1",
                "webhook-timestamp": str(NOW),
                "webhook-signature": "v1," + b64(mac(forged, message)),
            },
        )


def ecdsa_keys():
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.sign(BODY, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for form, text in [("der", b64(der)), ("raw", b64(raw))]:
        for name, public_key, secrets in [
            ("base64", {"secret": "base64"}, [b64(spki(key))]),
            ("pem", {"pem": pem(key)}, []),
        ]:
            add(
                f"ecdsa-{form}-{name}",
                {
                    "kind": "ecdsa",
                    "header": "X-S",
                    "encoding": "base64",
                    "format": form,
                    "public_key": public_key,
                },
                "ecdsa-p256-sha256",
                signature=text,
                secrets=secrets,
                headers={"X-S": text},
            )


def rsa_keys():
    key = rsa.generate_private_key(65537, 2048)
    pss = lambda hash: padding.PSS(padding.MGF1(hash), hash.digest_size)
    for name, algorithm, padded, scheme in [
        ("sha1", hashes.SHA1(), padding.PKCS1v15(), {"algorithm": "sha1"}),
        ("sha256", hashes.SHA256(), padding.PKCS1v15(), {}),
        ("sha512", hashes.SHA512(), padding.PKCS1v15(), {"algorithm": "sha512"}),
        ("pss-sha256", hashes.SHA256(), pss(hashes.SHA256()), {"padding": "pss"}),
        (
            "pss-sha512",
            hashes.SHA512(),
            pss(hashes.SHA512()),
            {"padding": "pss", "algorithm": "sha512"},
        ),
    ]:
        text = b64(key.sign(BODY, padded, algorithm))
        add(
            f"rsa-{name}",
            {
                "kind": "rsa",
                "header": "X-S",
                "encoding": "base64",
                "public_key": {"pem": pem(key)},
                **scheme,
            },
            f"rsa-{name}",
            signature=text,
            headers={"X-S": text},
        )
    small = rsa.generate_private_key(65537, 1024)
    text = b64(small.sign(BODY, padding.PKCS1v15(), hashes.SHA256()))
    add(
        "rsa-too-short",
        {"kind": "rsa", "header": "X-S", "encoding": "base64", "public_key": {"secret": "base64"}},
        rejected="bad_signature",
        secrets=[b64(spki(small))],
        headers={"X-S": text},
    )
    certificates(key)


def certificate(key, days):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signing.acme.example")])
    start = datetime.datetime.fromtimestamp(NOW, datetime.UTC) - datetime.timedelta(days=30)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start)
    return builder.not_valid_after(start + datetime.timedelta(days=days)).sign(key, hashes.SHA256())


def certificates(key):
    made = certificate(key, 365)
    text_form = made.public_bytes(serialization.Encoding.PEM).decode()
    message = f"t-1|{NOW}|WH-7|{zlib.crc32(BODY)}".encode()
    text = b64(key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
    scheme = {
        "kind": "rsa",
        "header": "X-S",
        "encoding": "base64",
        "message": "{header:x-id}|{timestamp}|{fact:webhook_id}|{body_crc32}",
        "timestamp": {"header": "X-T"},
        "public_key": {"certificate": {"header": "X-Cert", "hosts": ["certs.*.acme.example"]}},
    }
    headers = {"X-S": text, "X-Id": "t-1", "X-T": str(NOW), "X-Cert": CERTIFICATE}
    common = {"signature": text, "headers": headers, "facts": {"webhook_id": "WH-7"}}
    add(
        "certificate-crc32-and-fact",
        scheme,
        "rsa-sha256",
        fetch={CERTIFICATE: text_form},
        tolerance=300,
        **common,
    )
    add(
        "certificate-expired",
        scheme,
        rejected="unknown_key",
        fetch={CERTIFICATE: certificate(key, 29).public_bytes(serialization.Encoding.PEM).decode()},
        **common,
    )
    add(
        "certificate-of-somebody-else",
        scheme,
        rejected="bad_signature",
        fetch={
            CERTIFICATE: certificate(rsa.generate_private_key(65537, 2048), 365)
            .public_bytes(serialization.Encoding.PEM)
            .decode()
        },
        **common,
    )
    add("certificate-not-there", scheme, rejected="key_unavailable", fetch={}, **common)
    add(
        "fact-not-known",
        scheme,
        rejected="missing_fact",
        fetch={CERTIFICATE: text_form},
        **{**common, "facts": {}},
    )
    for name, url in [
        ("other-host", "https://certs.eu-1.acme.example.evil.example/signing.pem"),
        ("two-labels", "https://certs.a.b.acme.example/signing.pem"),
        ("no-label", "https://certs.acme.example/signing.pem"),
        ("plain", "http://certs.eu-1.acme.example/signing.pem"),
        ("port", "https://certs.eu-1.acme.example:8443/signing.pem"),
        ("user", "https://certs.eu-1.acme.example@evil.example/signing.pem"),
        ("password", "https://u:p@certs.eu-1.acme.example/signing.pem"),
        ("backslash", "https://evil.example\\.certs.eu-1.acme.example/signing.pem"),
        ("fragment", "https://evil.example/#certs.eu-1.acme.example"),
        ("address", "https://127.0.0.1/signing.pem"),
        ("no-url", "signing.pem"),
        ("long", CERTIFICATE + "?" + "x" * 3000),
    ]:
        add(
            f"certificate-at-{name}",
            scheme,
            rejected="malformed_signature",
            fetch={url: text_form},
            **{**common, "headers": {**headers, "X-Cert": url}},
        )


def tokens():
    rsa_key = rsa.generate_private_key(65537, 2048)
    other = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    ed_key = ed25519.Ed25519PrivateKey.generate()
    keys = {"keys": [jwk(other, "old", "RS256"), jwk(rsa_key, "rsa", "RS256")]}
    keys["keys"] += [jwk(ec_key, "ec", "ES256"), jwk(ed_key, "ed", "EdDSA")]
    keys["keys"] += [
        {**jwk(other, "enc", "RS256"), "use": "enc"},
        {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
    ]
    fetch = {JWKS: json.dumps(keys)}
    good = {"iss": "https://acme.example", "aud": URL, "sub": "1", "iat": NOW, "exp": NOW + 600}
    good |= {"email": "push@acme.example", "email_verified": True}
    claims = {"issuer": "https://acme.example", "audience": "{url}", "email": "{fact:sender}"}

    def bearer(name, token, by="jwt", algorithms=None, **more):
        jwt_part = {**claims, **({"algorithms": algorithms} if algorithms else {})}
        scheme = {"kind": "jwt", "header": "Authorization", "prefix": "Bearer "}
        scheme |= {"public_key": {"jwks": JWKS}, "jwt": jwt_part}
        more = {"fetch": fetch, "recipient_url": URL, "facts": {"sender": "push@acme.example"}} | more
        headers = {"Authorization": f"Bearer {token}"}
        accepted = "rejected" not in more
        add(
            name,
            scheme,
            by if accepted else None,
            signature=token,
            headers=headers,
            covers="nothing",
            valid_to=NOW + 660 if accepted else None,
            **more,
        )

    def signed(claims, kid="rsa", key=rsa_key, alg="RS256", **head):
        return jwt.encode(claims, key, algorithm=alg, headers={"kid": kid, **head})

    bearer("jwt-rs256", signed(good))
    bearer("jwt-es256", signed(good, "ec", ec_key, "ES256"), algorithms=["ES256"])
    bearer("jwt-eddsa", signed(good, "ed", ed_key, "EdDSA"), algorithms=["EdDSA"])
    bearer("jwt-several-audiences", signed({**good, "aud": ["x", URL]}))
    bearer("jwt-exp-with-fraction", signed({**good, "exp": NOW + 600.5}))

    # What a forger may try.
    encode = lambda part: b64url(json.dumps(part).encode())
    unsigned = lambda head: f"{encode(head)}.{encode(good)}"
    for alg in ["none", "None", "NONE", ""]:
        for tail in ["", "AAAA"]:
            token = f"{unsigned({'alg': alg, 'kid': 'rsa'})}.{tail}"
            bearer(f"jwt-alg-{alg or 'empty'}-{tail or 'unsigned'}", token, rejected="malformed_signature")
    for name, secret in [
        ("pem", pem(rsa_key).encode()),
        ("der", spki(rsa_key)),
        ("jwks", json.dumps(keys).encode()),
        ("modulus", keys["keys"][1]["n"].encode()),
        ("empty", b""),
    ]:
        head = unsigned({"alg": "HS256", "kid": "rsa"})
        token = f"{head}.{b64url(mac(secret, head.encode()))}"
        bearer(f"jwt-hs256-with-{name}", token, rejected="malformed_signature")
        bearer(
            f"jwt-hs256-with-{name}-and-rsa-allowed",
            token,
            rejected="malformed_signature",
            algorithms=["RS256", "ES256", "EdDSA"],
        )
    bearer("jwt-algorithm-not-listed", signed(good, "ec", ec_key, "ES256"), rejected="malformed_signature")
    bearer(
        "jwt-key-of-another-kind",
        signed(good, "ec", rsa_key, "RS256"),
        rejected="unknown_key",
        algorithms=["RS256", "ES256"],
    )
    bearer("jwt-key-for-encryption", signed(good, "enc", other), rejected="unknown_key")
    for name, kid in [
        ("unknown", "nobody"),
        ("path", "../../../../dev/null"),
        ("sql", "x' UNION SELECT 'secret' --"),
        ("command", "key|/bin/true"),
        ("empty", ""),
        ("symmetric", "oct"),
    ]:
        bearer(f"jwt-kid-{name}", signed(good, kid), rejected="unknown_key")
    bearer("jwt-kid-of-another-key", signed(good, "old"), rejected="bad_signature")
    nameless = jwt.encode(good, rsa_key, algorithm="RS256")
    bearer("jwt-without-kid-of-several", nameless, rejected="unknown_key")
    bearer(
        "jwt-without-kid-of-one",
        nameless,
        fetch={JWKS: json.dumps({"keys": [jwk(rsa_key, "rsa", "RS256")]})},
    )
    for name, value in [
        ("jku", "https://evil.example/jwks.json"),
        ("x5u", "https://evil.example/cert.pem"),
        ("jwk", json.loads(json.dumps(jwk(other, "rsa", "RS256")))),
        ("x5c", [b64(certificate(other, 365).public_bytes(serialization.Encoding.DER))]),
        ("crit", ["exp"]),
    ]:
        token = signed(good, "rsa", other, **{name: value})
        bearer(f"jwt-{name}", token, rejected="malformed_signature")
        bearer(f"jwt-{name}-rightly-signed", signed(good, **{name: value}), rejected="malformed_signature")

    # Claims, at the edges of what is allowed.
    for name, change, code in [
        ("expired", {"exp": NOW - 61}, "stale"),
        ("expired-long-ago", {"exp": -(2**62)}, "stale"),
        ("not-yet", {"nbf": NOW + 61}, "stale"),
        ("never", {"nbf": 2**62}, "stale"),
        ("exp-as-text", {"exp": str(NOW + 600)}, "bad_timestamp"),
        ("exp-as-list", {"exp": [NOW + 600]}, "bad_timestamp"),
        ("nbf-as-text", {"nbf": "soon"}, "bad_timestamp"),
        ("other-audience", {"aud": URL + "/"}, "wrong_claim"),
        ("other-audiences", {"aud": ["x", "y"]}, "wrong_claim"),
        ("no-audience", {"aud": None}, "wrong_claim"),
        ("audience-object", {"aud": {"0": URL}}, "wrong_claim"),
        ("other-issuer", {"iss": "https://acme.example.evil.example"}, "wrong_claim"),
        ("issuer-list", {"iss": ["https://acme.example"]}, "wrong_claim"),
        ("other-email", {"email": "push@evil.example"}, "wrong_claim"),
        ("email-upper-case", {"email": "PUSH@acme.example"}, "wrong_claim"),
        ("email-not-verified", {"email_verified": False}, "wrong_claim"),
        ("email-verified-as-text", {"email_verified": "true"}, "wrong_claim"),
    ]:
        changed = {key: value for key, value in {**good, **change}.items() if value is not None}
        token = jwt.api_jws.encode(json.dumps(changed).encode(), rsa_key, "RS256", {"kid": "rsa"})
        bearer(f"jwt-{name}", token, rejected=code)
    lasting = {key: value for key, value in good.items() if key != "exp"}
    bearer("jwt-without-exp", signed(lasting), rejected="bad_timestamp")
    bearer("jwt-fact-not-known", signed(good), rejected="missing_fact", facts={})
    whole = signed(good)
    head, claim, signature = whole.split(".")
    for name, token in [
        ("two-parts", f"{head}.{claim}"),
        ("four-parts", f"{whole}.{signature}"),
        ("no-head", f".{claim}.{signature}"),
        ("padded", f"{whole}=="),
        ("standard-base64", f"{head}.{claim}.{b64(base64.urlsafe_b64decode(signature + '=='))}"),
        ("head-of-no-object", f"{b64url(b'[]')}.{claim}.{signature}"),
        ("head-of-no-json", f"{b64url(b'x')}.{claim}.{signature}"),
        ("too-long", f"{b64url(json.dumps({'alg': 'RS256', 'pad': 'x' * 20000}).encode())}.{claim}.{signature}"),
        ("twice", f"{whole} {whole}"),
    ]:
        bearer(f"jwt-{name}", token, rejected="malformed_signature")
    bearer("jwt-no-signature", f"{head}.{claim}.", rejected="bad_signature")
    token = jwt.api_jws.encode(b"[1]", rsa_key, "RS256", {"kid": "rsa"})
    bearer("jwt-claims-of-no-object", token, rejected="malformed_signature")
    bearer("jwt-set-not-there", whole, rejected="key_unavailable", fetch={})
    bearer("jwt-set-is-no-set", whole, rejected="key_unavailable", fetch={JWKS: "<html>"})
    bearer("jwt-set-is-empty", whole, rejected="key_unavailable", fetch={JWKS: '{"keys":[]}'})
    bound_tokens(rsa_key)


def bound_tokens(key):
    secret = "a shared secret of thirty-two bytes"
    for name, alg, claim, encoding, value in [
        ("hex", "HS256", "sha256", "hex", hashlib.sha256(BODY).hexdigest()),
        ("base64url", "HS256", "body", "base64url", b64url(hashlib.sha256(BODY).digest())),
        ("padded", "HS512", "body", "base64url", base64.urlsafe_b64encode(hashlib.sha256(BODY).digest()).decode()),
    ]:
        token = jwt.encode({"iss": "acme", claim: value}, secret, algorithm=alg)
        scheme = {"kind": "jwt", "header": "X-Webhook-Signature"}
        scheme["jwt"] = {
            "issuer": "acme",
            "time": "none",
            "algorithms": [alg],
            "body_hash": {"claim": claim, "algorithm": "sha256", "encoding": encoding},
        }
        add(
            f"jws-body-hash-{name}",
            scheme,
            "jwt",
            signature=token,
            secrets=[secret],
            headers={"X-Webhook-Signature": token},
        )
    digest = hashlib.sha256(BODY).hexdigest()
    for name, claims, code in [
        ("missing", {"iss": "acme"}, "wrong_claim"),
        ("of-another-body", {"iss": "acme", "sha256": hashlib.sha256(b"{}").hexdigest()}, "wrong_claim"),
        ("short", {"iss": "acme", "sha256": digest[:62]}, "wrong_claim"),
        ("expired", {"iss": "acme", "sha256": digest, "exp": NOW - 61}, "stale"),
    ]:
        token = jwt.encode(claims, secret, algorithm="HS256")
        add(
            f"jws-body-hash-{name}",
            {
                "kind": "jwt",
                "header": "X-Webhook-Signature",
                "jwt": {"issuer": "acme", "time": "none", "body_hash": {"claim": "sha256"}},
            },
            rejected=code,
            secrets=[secret],
            headers={"X-Webhook-Signature": token},
        )
    issued = {"kind": "jwt", "header": "X-S", "jwt": {"time": "iat", "issuer": "acme"}}
    for age, code in [(0, None), (300, None), (-300, None), (301, "stale"), (-301, "stale")]:
        token = jwt.encode({"iss": "acme", "iat": NOW - age}, secret, algorithm="HS256")
        add(
            f"jwt-issued-{age}-seconds-ago",
            issued,
            None if code else "jwt",
            rejected=code,
            signature=token,
            secrets=[secret],
            headers={"X-S": token},
            covers="nothing",
        )
    inside = {"data": json.dumps({"eventType": "ORDER", "data": "{}"}), "iat": NOW, "exp": NOW + 3600}
    token = jwt.encode(inside, key, algorithm="RS256")
    add(
        "jwt-as-body",
        {"kind": "jwt", "body": "", "public_key": {"pem": pem(key)}, "jwt": {}},
        "jwt",
        signature=token,
        body=token.encode(),
        headers={"content-type": "text/plain"},
        covers="nothing",
        valid_to=NOW + 3660,
        unwrapped_json=inside,
    )


def sealed():
    iv = bytes(range(12))
    for bits in [128, 256]:
        key = bytes(range(bits // 8))
        boxed = AESGCM(key).encrypt(iv, BODY, None)
        text, tag = boxed[:-16].hex().upper(), boxed[-16:].hex().upper()
        add(
            f"aes-gcm-{bits}",
            {
                "kind": "aes_gcm",
                "key": {"encoding": "hex"},
                "iv": {"header": "X-Initialization-Vector"},
                "tag": {"header": "X-Authentication-Tag"},
            },
            "aes-gcm",
            signature=tag,
            secrets=["00" * 32, key.hex()],
            body=text.encode(),
            headers={"X-Initialization-Vector": iv.hex(), "X-Authentication-Tag": tag},
            unwrapped_base64=b64(BODY),
        )
    add(
        "aes-gcm-in-a-field",
        {
            "kind": "aes_gcm",
            "body": "/encrypted",
            "encoding": "base64",
            "key": {"encoding": "base64"},
            "iv": {"header": "X-IV", "encoding": "base64"},
        },
        "aes-gcm",
        signature=b64(boxed),
        secrets=[b64(key)],
        body=json.dumps({"encrypted": b64(boxed)}).encode(),
        headers={"X-IV": b64(iv)},
        covers="fields",
        signed=["/encrypted"],
        unwrapped_base64=b64(BODY),
    )


symmetric()
ed25519_keys()
ecdsa_keys()
rsa_keys()
tokens()
sealed()

# What many vectors fetch stands once, under a name.
documents = {}
for vector in vectors:
    if fetch := vector.get("fetch"):
        number = lambda text: documents.setdefault(text, f"document-{len(documents) + 1}")
        vector["fetch"] = {url: number(text) for url, text in fetch.items()}
named = {name: text for text, name in documents.items()}
target = pathlib.Path(__file__).with_name("generated.json")
target.write_text(json.dumps({"documents": named, "vectors": vectors}, indent=1) + "\n")
print(f"{len(vectors)} vectors")
