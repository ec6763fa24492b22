"""A client of V-Claim, Antrean FKTP and i-Care that shares nothing with the bridge's own protocol code.

Python's standard library signs and sends; `pycryptodome` and `lzstring` from PyPI open the answers. Reads the base URL
and the credentials (`jembatan simulate --credentials`) as JSON from standard input, works through each service, prints
JSON: per step the HTTP status, the envelope as it came, and what it opened to.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.request

import lzstring
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad

CARD = "0009900000000"
FORM = "Application/x-www-form-urlencoded"


class Client:
    def __init__(self, url, credentials, bases=None):
        self.url, self.credentials = url, credentials
        self.bases = bases or {"vclaim": "/vclaim-rest", "antrean_fktp": "/antreanfktp", "icare": "/wsIHS"}

    def call(self, service, method, path, body=None, kind=FORM, key=None, secret=None, login=False):
        held = self.credentials
        stamp = str(int(time.time()))
        message = f"{held['cons_id']}&{stamp}".encode()
        digest = hmac.new((secret or held["secret_key"]).encode(), message, hashlib.sha256).digest()
        headers = {
            "X-cons-id": held["cons_id"],
            "X-timestamp": stamp,
            "X-signature": base64.b64encode(digest).decode(),
            "user_key": held["user_key"][key or service],
            "Content-Type": kind,
        }
        if login:
            plain = f"{held['username']}:{held['password']}:095"
            headers["X-authorization"] = "Basic " + base64.b64encode(plain.encode()).decode()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{self.bases[service]}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        envelope = json.loads(text)
        sealed = envelope.get("response")
        opened = self.open(sealed, stamp) if isinstance(sealed, str) and sealed else None
        return {"status": status, "envelope": envelope, "opened": opened}

    def open(self, sealed, stamp):
        held = self.credentials
        key = hashlib.sha256((held["cons_id"] + held["secret_key"] + stamp).encode()).digest()
        try:
            plain = unpad(AES.new(key, AES.MODE_CBC, key[:16]).decrypt(base64.b64decode(sealed)), 16)
            return json.loads(lzstring.LZString().decompressFromEncodedURIComponent(plain.decode()))
        except ValueError:
            return None


def sep(today):
    return {
        "noKartu": CARD, "tglSep": today, "ppkPelayanan": "0114A026", "jnsPelayanan": "2",
        "klsRawat": {"klsRawatHak": "3", "klsRawatNaik": "", "pembiayaan": "", "penanggungJawab": ""}, "noMR": "MR1",
        "rujukan": {"asalRujukan": "1", "tglRujukan": today, "noRujukan": "0114U1631126P000001", "ppkRujukan": "0114U163"},
        "catatan": "", "diagAwal": "E11.9", "poli": {"tujuan": "INT", "eksekutif": "0"}, "cob": {"cob": "0"},
        "katarak": {"katarak": "0"}, "jaminan": {"lakaLantas": "0", "noLP": "", "penjamin": {}}, "tujuanKunj": "0",
        "flagProcedure": "", "kdPenunjang": "", "assesmentPel": "", "skdp": {"noSurat": "", "kodeDPJP": ""},
        "dpjpLayan": "31574", "noTelp": "081200000000", "user": "uji",
    }


def main():
    given = json.load(sys.stdin)
    client = Client(given["url"], given["credentials"])
    west = datetime.timezone(datetime.timedelta(hours=7))
    now = datetime.datetime.now(west)
    today = now.strftime("%Y-%m-%d")
    # The next day that is no Sunday: clinics are shut then.
    working = next(day for day in (now + datetime.timedelta(days=n) for n in range(2)) if day.weekday() != 6)
    visit = working.strftime("%Y-%m-%d")
    wrapped = lambda inner: {"request": {"t_sep": inner}}
    out = {}

    out["member"] = client.call("vclaim", "GET", f"Peserta/nokartu/{CARD}/tglSEP/{today}")
    out["made"] = client.call("vclaim", "POST", "SEP/2.0/insert", wrapped(sep(today)))
    out["again"] = client.call("vclaim", "POST", "SEP/2.0/insert", wrapped(sep(today)))
    number = out["made"]["opened"]["sep"]["noSep"]
    out["read"] = client.call("vclaim", "GET", f"SEP/{number}")
    change = {"noSep": number, "noMR": "MR2", "catatan": "diubah", "user": "uji"}
    out["changed"] = client.call("vclaim", "PUT", "SEP/2.0/update", wrapped(change))
    out["deleted"] = client.call("vclaim", "DELETE", "SEP/2.0/delete", wrapped({"noSep": number, "user": "uji"}))
    out["wrong_key"] = client.call("vclaim", "GET", f"SEP/{number}", key="pcare")
    out["wrong_signature"] = client.call("vclaim", "GET", f"SEP/{number}", secret="bukan rahasianya")

    place = {
        "nomorkartu": CARD, "nik": "6470009900000000", "nohp": "081200000000", "kodepoli": "001", "namapoli": "Poli Umum",
        "norm": "1", "tanggalperiksa": visit, "kodedokter": 1, "namadokter": "dr. Contoh Satu",
        "jampraktek": "08:00-12:00", "nomorantrean": "A-1", "angkaantrean": 1, "keterangan": "",
    }
    out["clinics"] = client.call("antrean_fktp", "GET", f"ref/poli/tanggal/{visit}")
    out["queued"] = client.call("antrean_fktp", "POST", "antrean/add", place, kind="application/json")
    out["queued_again"] = client.call("antrean_fktp", "POST", "antrean/add", place, kind="application/json")

    out["link"] = client.call("icare", "POST", "api/pcare/validate", {"param": CARD}, kind="application/json", login=True)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
