"""A P-Care client nobody here wrote, against the simulator: `bpjs-bridging` from PyPI.

The subclass adds what P-Care needs and the package lacks: its service entry, the X-authorization header and the
text/plain content type. Signing, sealing and reading the envelope are the package's own. Reads the base URL and the
credentials (`jembatan simulate --credentials`) as JSON from standard input, works through one visit, prints JSON.
"""

import base64
import datetime
import json
import sys

import bpjs


class PCare(bpjs.Bridging):
    SERVICE_CONFIG = {
        **bpjs.Bridging.SERVICE_CONFIG,
        "pcare": {"encrypted": True, "use_user_key": True, "content_type": "text/plain"},
    }

    def __init__(self, client):
        super().__init__(client, "pcare")
        login = f"{client['username']}:{client['password']}:095"
        self.login = "Basic " + base64.b64encode(login.encode()).decode()

    def _headers(self, timestamp):
        return {**super()._headers(timestamp), "X-authorization": self.login}


def main():
    given = json.load(sys.stdin)
    credentials = given["credentials"]
    pcare = PCare(
        {
            "host": given["url"],
            "consid": credentials["cons_id"],
            "secret": credentials["secret_key"],
            "user_key": credentials["user_key"]["pcare"],
            "username": credentials["username"],
            "password": credentials["password"],
        }
    )
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7))).strftime("%d-%m-%Y")
    card = "0009900000000"

    registration = {
        "kdProviderPeserta": "0114A026", "tglDaftar": today, "noKartu": card, "kdPoli": "001", "keluhan": "demam 🤒",
        "kunjSakit": True, "sistole": 0, "diastole": 0, "beratBadan": 0, "tinggiBadan": 0, "respRate": 0,
        "lingkarPerut": 0, "heartRate": 0, "rujukBalik": 0, "kdTkp": "10",
    }
    visit = {
        "noKunjungan": None, "noKartu": card, "tglDaftar": today, "kdPoli": "001", "keluhan": "demam 🤒", "kdSadar": "01",
        "sistole": 120, "diastole": 80, "beratBadan": 60, "tinggiBadan": 165, "respRate": 20, "heartRate": 84,
        "lingkarPerut": 80, "kdStatusPulang": "3", "tglPulang": today, "kdDokter": "001", "kdDiag1": "J06.9",
        "kdDiag2": None, "kdDiag3": None, "kdPoliRujukInternal": None, "rujukLanjut": None, "kdTacc": -1,
        "alasanTacc": None, "anamnesa": "demam", "alergiMakan": "00", "alergiUdara": "00", "alergiObat": "00",
        "kdPrognosa": "01", "terapiObat": "-", "terapiNonObat": "-", "bmhp": "-", "suhu": "37,8",
    }
    out = {}
    out["doctors"] = pcare.request("dokter/0/10")
    out["member"] = pcare.request(f"peserta/{card}")
    out["registered"] = pcare.request("pendaftaran", "POST", registration)
    out["again"] = pcare.request("pendaftaran", "POST", registration)
    out["list"] = pcare.request(f"pendaftaran/tglDaftar/{today}/0/300")
    out["visited"] = pcare.request("kunjungan/v1", "POST", visit)
    number = out["visited"]["response"][0]["message"]
    drug = {
        "kdObatSK": 0, "noKunjungan": number, "racikan": False, "kdRacikan": None, "obatDPHO": True,
        "kdObat": "130103595", "signa1": 3, "signa2": 1, "jmlObat": 10, "jmlPermintaan": 10, "nmObatNonDPHO": "",
    }
    out["drugs"] = [pcare.request("obat/kunjungan", "POST", drug) for _ in range(2)]
    out["drug_list"] = pcare.request(f"obat/kunjungan/{number}")
    out["history"] = pcare.request(f"kunjungan/peserta/{card}")
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
