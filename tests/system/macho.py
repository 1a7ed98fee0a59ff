"""Reads Mach-O files as far as the tests of the macOS library need it (mach-o/loader.h)."""

import struct
from pathlib import Path

CPUS = {0x01000007: "x86_64", 0x0100000C: "arm64"}
SEGMENT_64, SYMTAB, LOAD_DYLIB, ID_DYLIB = 0x19, 0x2, 0xC, 0xD
CODE_SIGNATURE, BUILD_VERSION, DYLD_INFO_ONLY = 0x1D, 0x32, 0x80000022


def slices(path):
    """{"arm64": Image, ...} of a file with one architecture or several."""
    data = Path(path).read_bytes()
    if struct.unpack_from(">I", data)[0] != 0xCAFEBABE:
        image = Image(data)
        return {image.cpu: image}
    found = {}
    for i in range(struct.unpack_from(">I", data, 4)[0]):
        _, _, offset, size, _ = struct.unpack_from(">5I", data, 8 + 20 * i)
        image = Image(data[offset:offset + size])
        found[image.cpu] = image
    return found


def leb(data, at, signed=False):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if signed and byte & 0x40:
        value -= 1 << shift
    return value, at


class Image:
    def __init__(self, data):
        self.data = data
        magic, cpu, _, self.filetype, count = struct.unpack_from("<5I", data)
        assert magic == 0xFEEDFACF, hex(magic)
        self.cpu = CPUS[cpu]
        self.segments, self.sections, self.dylibs, self.commands = [], {}, [], {}
        at = 32
        for _ in range(count):
            command, size = struct.unpack_from("<2I", data, at)
            self.commands[command] = at
            if command == SEGMENT_64:
                self._segment(at)
            elif command == LOAD_DYLIB:
                start = at + struct.unpack_from("<I", data, at + 8)[0]
                self.dylibs.append(data[start:data.index(b"\0", start)].decode())
            at += size

    def _segment(self, at):
        _, _, name, address, size = struct.unpack_from("<2I16s2Q", self.data, at)
        self.segments.append((name.rstrip(b"\0").decode(), address, size))
        for i in range(struct.unpack_from("<I", self.data, at + 64)[0]):
            section, segment, start, length, offset = struct.unpack_from(
                "<16s16s2QI", self.data, at + 72 + 80 * i)
            key = segment.rstrip(b"\0").decode() + "," + section.rstrip(b"\0").decode()
            self.sections[key] = (start, length, offset)

    def symbols(self):
        """[(name, type, description, value)]"""
        at = self.commands[SYMTAB]
        table, count, strings, _ = struct.unpack_from("<4I", self.data, at + 8)
        found = []
        for i in range(count):
            name, kind, _, description, value = struct.unpack_from("<IBBHQ", self.data, table + 16 * i)
            start = strings + name
            end = self.data.index(b"\0", start)
            found.append((self.data[start:end].decode(), kind, description, value))
        return found

    def undefined(self):
        """{name: the library it is bound to, as in its path}"""
        return {name: self._library(description >> 8) for name, kind, description, _ in self.symbols()
                if kind & 0x0E == 0}

    def defined(self):
        return {value: name for name, kind, _, value in self.symbols() if kind & 0x0E == 0x0E}

    def _library(self, ordinal):
        return self.dylibs[ordinal - 1] if 0 < ordinal <= len(self.dylibs) else f"ordinal {ordinal}"

    def platform(self):
        """(platform, oldest system, SDK), versions as (major, minor)"""
        number, oldest, sdk = struct.unpack_from("<3I", self.data, self.commands[BUILD_VERSION] + 8)
        return number, (oldest >> 16, oldest >> 8 & 255), (sdk >> 16, sdk >> 8 & 255)

    def rebases(self):
        """Addresses of the words that dyld slides."""
        offset, size = struct.unpack_from("<2I", self.data, self.commands[DYLD_INFO_ONLY] + 8)
        data, at, address, found = self.data[offset:offset + size], 0, 0, set()

        def run(count, step):
            nonlocal address
            for _ in range(count):
                found.add(address)
                address += step

        while at < len(data):
            opcode, immediate = data[at] & 0xF0, data[at] & 0x0F
            at += 1
            if opcode == 0x00:
                break
            if opcode == 0x20:
                shift, at = leb(data, at)
                address = self.segments[immediate][1] + shift
            elif opcode == 0x30:
                shift, at = leb(data, at)
                address += shift
            elif opcode == 0x40:
                address += 8 * immediate
            elif opcode == 0x50:
                run(immediate, 8)
            elif opcode == 0x60:
                count, at = leb(data, at)
                run(count, 8)
            elif opcode == 0x70:
                shift, at = leb(data, at)
                run(1, 8 + shift)
            elif opcode == 0x80:
                count, at = leb(data, at)
                skip, at = leb(data, at)
                run(count, 8 + skip)
        return found

    def binds(self):
        """{address: (symbol, library)} of what dyld binds at the start"""
        offset, size = struct.unpack_from("<2I", self.data, self.commands[DYLD_INFO_ONLY] + 16)
        data, at, address, found = self.data[offset:offset + size], 0, 0, {}
        symbol = library = None

        def bind(step):
            nonlocal address
            found[address] = (symbol, library)
            address = (address + step) & (1 << 64) - 1

        while at < len(data):
            opcode, immediate = data[at] & 0xF0, data[at] & 0x0F
            at += 1
            if opcode == 0x00:
                break
            if opcode == 0x10:
                library = self._library(immediate)
            elif opcode == 0x20:
                ordinal, at = leb(data, at)
                library = self._library(ordinal)
            elif opcode == 0x40:
                end = data.index(b"\0", at)
                symbol, at = data[at:end].decode(), end + 1
            elif opcode == 0x60:
                _, at = leb(data, at, signed=True)
            elif opcode == 0x70:
                shift, at = leb(data, at)
                address = self.segments[immediate][1] + shift
            elif opcode == 0x80:
                shift, at = leb(data, at)
                address = (address + shift) & (1 << 64) - 1
            elif opcode == 0x90:
                bind(8)
            elif opcode == 0xA0:
                shift, at = leb(data, at)
                bind(8 + shift)
            elif opcode == 0xB0:
                bind(8 + 8 * immediate)
            elif opcode == 0xC0:
                count, at = leb(data, at)
                skip, at = leb(data, at)
                for _ in range(count):
                    bind(8 + skip)
        return found

    def word(self, section, index):
        start, _, offset = self.sections[section]
        return start + 8 * index, struct.unpack_from("<Q", self.data, offset + 8 * index)[0]

    def signature_flags(self):
        """Of the code directory; None without a signature."""
        at = self.signature_flags_at()
        return at and struct.unpack_from(">I", self.data, at)[0]

    def signature_flags_at(self):
        if CODE_SIGNATURE not in self.commands:
            return None
        offset = struct.unpack_from("<I", self.data, self.commands[CODE_SIGNATURE] + 8)[0]
        magic, _, count = struct.unpack_from(">3I", self.data, offset)
        assert magic == 0xFADE0CC0, hex(magic)
        for i in range(count):
            blob = offset + struct.unpack_from(">2I", self.data, offset + 12 + 8 * i)[1]
            if struct.unpack_from(">I", self.data, blob)[0] == 0xFADE0C02:
                return blob + 12
        return None
