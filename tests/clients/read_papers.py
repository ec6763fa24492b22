"""Reads a workbook and a CSV back with independent readers and prints what stands in them as JSON.

Usage: read_papers.py FILE.xlsx FILE.csv
"""

import csv
import json
import sys

import openpyxl


def workbook(path):
    book = openpyxl.load_workbook(path)
    sheets = {}
    formulas = 0
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            formulas += sum(cell.data_type == "f" for cell in row)
        rows = [[str(cell) if hasattr(cell, "isoformat") else cell for cell in row] for row in sheet.values]
        sheets[sheet.title] = {
            "rows": rows,
            "frozen": sheet.freeze_panes,
            "paper": sheet.page_setup.paperSize,
            "repeat": sheet.print_title_rows,
        }
    return {"sheets": sheets, "formulas": formulas}


with open(sys.argv[2], encoding="utf-8-sig", newline="") as file:
    lines = list(csv.reader(file, delimiter=";"))
print(json.dumps({"xlsx": workbook(sys.argv[1]), "csv": lines}))
