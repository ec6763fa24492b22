"""The LZ stage as a SIM in Python has it; see open.js."""
import pathlib, statistics, sys, time
import lzstring

folder, length = pathlib.Path(sys.argv[1]), float(sys.argv[2]) / 1000
for packed in folder.glob("*.lz"):
    text, took, codec = packed.read_text("latin1"), [], lzstring.LZString()
    until = time.perf_counter() + length
    while len(took) < 3 or time.perf_counter() < until:
        began = time.perf_counter_ns()
        codec.decompressFromEncodedURIComponent(text)
        took.append(time.perf_counter_ns() - began)
    print(packed.stem, int(statistics.median(took)))
