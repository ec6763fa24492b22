"""Reckons the figures of a month from BPJS's ledger and compares them with what every document says in every form.

Usage: read_month.py FOLDER

FOLDER holds ledger.json (what landed at BPJS), handed.json (what the SIM handed in), outages.json (what was handed in
while BPJS was away), the documents NAME.{json,xlsx,csv,pdf,html} and kewajiban.ics. Nothing of the bridge is used: readers
are openpyxl, csv, html.parser, pdftotext and icalendar. Prints every figure with what each form says, and the differences.
"""

import collections
import csv
import datetime
import html.parser
import json
import pathlib
import re
import subprocess
import sys

import icalendar
import openpyxl

FACILITY = "0114A026"
NONSPECIALIST = {"K297", "J069", "I10", "J459"}
LISTS = {
    "pendaftaran": "pcare.pendaftaran.add",
    "kunjungan": "pcare.kunjungan.add",
    "tindakan": "pcare.tindakan.add",
    "obat": "pcare.obat.add",
    "mcu": "pcare.mcu.add",
    "kegiatan": "pcare.kelompok.kegiatan.add",
    "peserta_kegiatan": "pcare.kelompok.peserta.add",
}
folder = pathlib.Path(sys.argv[1])


def load(name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


# ---- what the figures must be -----------------------------------------------------------------------------------


def day(text):
    return datetime.datetime.strptime(text, "%d-%m-%Y").date()


class Expected:
    def __init__(self):
        self.ledger, handed = load("ledger.json"), load("handed.json")
        self.handed = [entry for one in handed for entry in one["entries"]]
        keys = {
            (entry["payload"]["tglDaftar"], entry["payload"]["kdPoli"], entry["payload"]["noKartu"])
            for entry in self.handed
            if entry["operation"] == "pcare.pendaftaran.add"
        }
        key = lambda row: (row["tglDaftar"], row["kdPoli"], row["noKartu"])
        # What staff typed and nobody handed in is a stranger's.
        self.registrations = {key(row): row for row in self.ledger["pendaftaran"]}
        own = lambda row: row["origin"] == "ws" or key(row) in keys
        self.visits = [row for row in self.ledger["kunjungan"] if own(row)]
        self.ours = [row for row in self.ledger["pendaftaran"] if own(row)]
        self.strangers = [row for name in ("pendaftaran", "kunjungan") for row in self.ledger[name] if not own(row)]
        self.rows = sum(len(self.ledger[name]) for name in LISTS)
        self.landed = self.rows - len(self.strangers)
        self.key = key

    def care(self, code):
        of = lambda row: str(self.registrations[self.key(row)]["content"]["kdTkp"])
        return [row for row in self.visits if of(row) == code]

    def handed_of(self, operation):
        return sum(entry["operation"] == operation for entry in self.handed)

    def missing_visits(self):
        """Handed in, but never landed: the refused ones."""
        visits = [entry["payload"] for entry in self.handed if entry["operation"] == "pcare.kunjungan.add"]
        handed = collections.Counter((visit["tglDaftar"], visit["noKartu"]) for visit in visits)
        landed = collections.Counter((row["tglDaftar"], row["noKartu"]) for row in self.visits)
        return sum((handed - landed).values())


def referred(row):
    return str(row["content"]["kdStatusPulang"]) == "4"


def stay(row):
    return max(1, (day(row["content"]["tglPulang"]) - day(row["tglDaftar"])).days)


# ---- readers ----------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Rows of cells, whatever table they stand in."""

    def __init__(self):
        super().__init__()
        self.rows, self.cell = [], None

    def handle_starttag(self, tag, _):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.cell is not None:
            self.rows[-1].append(self.cell.strip())
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def from_json(name):
    paper = load(f"{name}.json")
    rows = [[fact["name"], fact["value"]] for fact in paper["facts"]]
    for part in (part for section in paper["sections"] for part in section["parts"]):
        rows += [[fact["name"], fact["value"]] for fact in part.get("facts", [])]
        if "table" in part:
            rows += part["table"]["rows"] + part["table"]["totals"]
    return rows


def from_xlsx(name):
    book = openpyxl.load_workbook(folder / f"{name}.xlsx")
    for sheet in book.worksheets:
        assert sheet.page_setup.paperSize == 9, f"{name}: {sheet.title} is not A4"
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row), f"{name}: a formula"
    return [list(row) for sheet in book.worksheets for row in sheet.values]


def from_csv(name):
    with open(folder / f"{name}.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


def from_html(name):
    page = Page()
    page.feed((folder / f"{name}.html").read_text(encoding="utf-8"))
    return page.rows


def from_pdf(name):
    """Lines whose columns are told apart by two spaces and more."""
    command = ["pdftotext", "-layout", str(folder / f"{name}.pdf"), "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Halaman 1 dari" in text, f"{name}: no page numbers"
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.strip()]


FORMS = {"json": from_json, "xlsx": from_xlsx, "csv": from_csv, "pdf": from_pdf, "html": from_html}


def number(cell):
    """A figure in any of the writings: 1234, 1.234, Rp1.234, 147,5%, 6.25."""
    if cell is None or isinstance(cell, (int, float)):
        return cell
    text = str(cell).strip().removeprefix("Rp").removesuffix("%")
    if re.fullmatch(r"-?\d{1,3}(\.\d{3})+", text):
        text = text.replace(".", "")
    text = text.replace(",", ".")
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def cells(row):
    return [cell for cell in row if cell not in (None, "")]


def after(label, at=0, which=0):
    """The at-th figure after the which-th row that begins with `label`."""

    def look(rows):
        found = [cells(row) for row in rows]
        found = [row for row in found if row and str(row[0]).startswith(label)]
        if len(found) <= which:
            return None
        figures = [number(cell) for cell in found[which][1:]]
        figures = [figure for figure in figures if figure is not None]
        return figures[at] if at < len(figures) else None

    return look


def with_card(rows):
    """How many rows name a patient's card."""
    return sum(any(re.fullmatch(r"000\d{10}", str(cell)) for cell in row) for row in rows)


# ---- the comparison ---------------------------------------------------------------------------------------------


def figures():
    e = Expected()
    missing, entries = e.missing_visits(), len(e.handed)
    outpatient, inpatient = e.care("10"), e.care("20")
    claims = [row for name in ("tindakan", "kegiatan") for row in e.ledger[name]]
    money = sum(int(row["content"].get("biaya") or 0) for row in claims)
    wrong = [
        row
        for row in e.visits
        if referred(row)
        and str(row["content"].get("kdTacc", -1)) == "-1"
        and str(row["content"]["kdDiag1"]).replace(".", "") in NONSPECIALIST
    ]
    contacts = {
        row["noKartu"] for row in e.ours if row["content"]["kdProviderPeserta"] == FACILITY
    }
    sent_on = sum(map(referred, e.visits))
    yield "reconciliation", "equal", e.landed, after("Sama pada kedua pihak")
    yield "reconciliation", "only_bpjs", len(e.strangers), after("Hanya pada BPJS Kesehatan")
    yield "reconciliation", "only_here", entries - e.landed, after("Hanya pada jembatan")
    yield "reconciliation", "differs", 0, after("Ada pada kedua pihak, isi berbeda")
    yield "reconciliation", "settled", len(e.strangers), with_words("pasien tamu")
    titles = compared_titles()
    for name, operation in LISTS.items():
        label = titles[operation]
        yield "reconciliation", f"{name} here", e.handed_of(operation), after(label)
        yield "reconciliation", f"{name} at BPJS", len(e.ledger[name]), after(label, 1)
    yield "rjtp", "visits", len(outpatient) + missing, after("Total Peserta yang berkunjung")
    yield "rjtp", "referred", sum(map(referred, outpatient)), after("Total Peserta yang dirujuk")
    yield "rjtp", "at BPJS", len(outpatient), after("Sudah sampai di BPJS Kesehatan")
    yield "rjtp", "cards", len(outpatient) + missing, with_card
    yield "ritp", "visits", len(inpatient), after("Total Peserta yang berkunjung")
    yield "ritp", "cards", len(inpatient), with_card
    yield "ritp", "stay", sum(map(stay, inpatient)), stays
    yield "deadlines", "entries", entries, after("Jumlah")
    yield "deadlines", "at BPJS", e.landed, lambda rows: sum(after("Jumlah", at)(rows) for at in (1, 2, 3))
    yield "deadlines", "missing", entries - e.landed, lambda rows: sum(after("Jumlah", at)(rows) for at in (4, 5))
    yield "claims", "count", len(claims), after("Jumlah entri klaim yang sampai di BPJS Kesehatan")
    yield "claims", "money", money, after("Jumlah biaya menurut entri")
    yield "kbk", "contacts", len(contacts), words(r"([\d.]+) peserta terdaftar yang kontak")
    yield "kbk", "contacts by day", len(contacts), first_contacts
    yield "kbk", "referrals", sent_on, words(r"TACC ÷ ([\d.]+) rujukan")
    yield "kbk", "wrong referrals", len(wrong), words(r"([\d.]+) rujukan nonspesialistik")
    yield "prolanis", "activities", len(e.ledger["kegiatan"]), after("Jumlah kegiatan")
    yield "prolanis", "attendances", len(e.ledger["peserta_kegiatan"]), after("Jumlah kehadiran")
    yield "prolanis", "cards", len(e.ledger["peserta_kegiatan"]), with_card
    for outage in load("outages.json"):
        name = f"outage-{outage['id']}"
        yield name, "accepted", outage["accepted"], after("Entri diterima selama gangguan")


def stays(rows):
    """LOS stands before the sign of a referral, after the diagnoses: the only bare number behind the card's row."""
    total = 0
    for row in (cells(row) for row in rows):
        at = next((n for n, cell in enumerate(row) if re.fullmatch(r"000\d{10}", str(cell))), None)
        if at is not None:
            total += next(number(cell) for cell in row[at + 1 :] if number(cell) is not None)
    return total


def with_words(wanted):
    return lambda rows: sum(any(wanted in str(cell) for cell in row) for row in rows)


def first_contacts(rows):
    """The sum of the first contacts: rows of a day and two figures."""
    total = 0
    for row in (cells(row) for row in rows):
        if len(row) == 3 and re.fullmatch(r"[-0-9]{10}( .*)?", str(row[0])):
            total += number(row[1])
    return total


def words(pattern):
    """A figure inside a sentence that a narrow column may have broken over lines."""

    def look(rows):
        return pattern, rows

    look.pattern = pattern
    return look


def compared_titles():
    """What the document calls an operation: in the catalogue's page, which is not made by the documents."""
    catalogue = pathlib.Path(__file__).parents[2] / "src/catalogue/pcare.toml"
    text = catalogue.read_text(encoding="utf-8")
    pairs = re.findall(r'^name = "([^"]+)"\ntitle = "([^"]+)"', text, re.MULTILINE)
    return dict(pairs)


def sentence(form, name, pattern):
    if form == "pdf":
        command = ["pdftotext", str(folder / f"{name}.pdf"), "-"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    else:
        text = " ".join(str(cell) for row in FORMS[form](name) for cell in cells(row))
    found = re.search(pattern, re.sub(r"\s+", " ", text))
    return number(found.group(1)) if found else None


def calendar():
    read = icalendar.Calendar.from_ical((folder / "kewajiban.ics").read_bytes())
    events = read.walk("VEVENT")
    assert events and not any(event.errors for event in events)
    return len(events)


shown, differences, read = {}, [], {}
for document, figure, wanted, look in figures():
    line = {"expected": wanted}
    for form, reader in FORMS.items():
        if (document, form) not in read:
            read[document, form] = reader(document)
        pattern = getattr(look, "pattern", None)
        line[form] = sentence(form, document, pattern) if pattern else look(read[document, form])
        if line[form] != wanted:
            differences.append(f"{document}.{form} {figure}: {line[form]}, the ledger says {wanted}")
    shown[f"{document}: {figure}"] = line
print(json.dumps({"figures": shown, "differences": differences, "duties": calendar()}, ensure_ascii=False))
