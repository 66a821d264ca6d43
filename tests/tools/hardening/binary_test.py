"""What tools/cmake/hardening.cmake asks of compiler and linker is in the program. Reads ELF (elf(5), and the psABI's GNU properties) by
itself. Run: python3 FILE PROGRAM.
"""

import struct
import sys
import unittest

ET_DYN, EM_X86_64 = 3, 62
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 0x6474E551, 0x6474E552, 0x6474E553
PF_X, PF_W = 1, 2
DT_NULL, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_TEXTREL, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1 = 0, 5, 6, 10, 22, 24, 30, 0x6FFFFFFB
DT_RPATH, DT_RUNPATH = 15, 29
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 4, 8, 1, 0x08000000
GNU_PROPERTY_X86_FEATURE_1_AND, IBT, SHSTK = 0xC0000002, 1, 2


KEPT_BYTES = 16 << 20   # what is read stands at the beginning; what debuggers read, behind it


class Elf:
    """A 64-bit little-endian program: header, segments, dynamic section, undefined names, features."""

    def __init__(self, data):
        self.data = data
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("no 64-bit little-endian ELF file")
        self.type, self.machine = struct.unpack_from("<HH", data, 16)
        offset, = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        self.headers = [offset + i * size for i in range(count)]
        # type, flags, offset in the file, address, bytes in the file
        self.segments = [struct.unpack_from("<IIQQ8xQ", data, at) for at in self.headers]

    def of_type(self, wanted):
        return [segment for segment in self.segments if segment[0] == wanted]

    def entries(self):
        """(place, tag, value) of the dynamic section."""
        for _, _, offset, _, size in self.of_type(PT_DYNAMIC):
            for at in range(offset, offset + size, 16):
                tag, value = struct.unpack_from("<QQ", self.data, at)
                if tag == DT_NULL:
                    return
                yield at, tag, value

    def dynamic(self, wanted):
        return next((value for _, tag, value in self.entries() if tag == wanted), None)

    def strings_at(self):
        """Where the names of dynamic symbols begin and end; those of versions and libraries are among them, which does not matter."""
        address, size = self.dynamic(DT_STRTAB), self.dynamic(DT_STRSZ)
        for kind, _, offset, begin, length in self.segments:
            if kind == PT_LOAD and address is not None and begin <= address < begin + length:
                return offset + address - begin, offset + address - begin + size
        return 0, 0

    def strings(self):
        begin, end = self.strings_at()
        return set(bytes(self.data[begin:end]).split(b"\0"))

    def features(self):
        for _, _, offset, _, size in self.of_type(PT_GNU_PROPERTY):
            note_end = offset + size
            at = offset + 16   # name size, description size, type, "GNU\0"
            while at + 8 <= note_end:
                kind, length = struct.unpack_from("<II", self.data, at)
                if kind == GNU_PROPERTY_X86_FEATURE_1_AND:
                    return struct.unpack_from("<I", self.data, at + 8)[0]
                at += 8 + (length + 7) // 8 * 8
        return 0


def missing(data):
    """What the program lacks, by name."""
    elf = Elf(data)
    flags, flags_1 = elf.dynamic(DT_FLAGS) or 0, elf.dynamic(DT_FLAGS_1) or 0
    strings = elf.strings()
    stack = elf.of_type(PT_GNU_STACK)
    checks = {
        "position independent": elf.type == ET_DYN and elf.of_type(PT_INTERP) and flags_1 & DF_1_PIE,
        "relro": elf.of_type(PT_GNU_RELRO),
        "immediate binding": flags & DF_BIND_NOW or flags_1 & DF_1_NOW or elf.dynamic(DT_BIND_NOW) is not None,
        "no executable stack": stack and not any(flag & PF_X for _, flag, *_ in stack),
        "nothing writable and executable": not any(kind == PT_LOAD and flag & PF_X and flag & PF_W for kind, flag, *_ in elf.segments),
        "no text relocations": elf.dynamic(DT_TEXTREL) is None and not flags & DF_TEXTREL,
        "no library path of its own": elf.dynamic(DT_RPATH) is None and elf.dynamic(DT_RUNPATH) is None,
        "stack protector": b"__stack_chk_fail" in strings,
        "fortified calls": any(name.startswith(b"__") and name.endswith(b"_chk") for name in strings),
    }
    if elf.machine == EM_X86_64:
        checks["indirect branch tracking"] = elf.features() & IBT
        checks["shadow stack"] = elf.features() & SHSTK
    return [name for name, is_there in checks.items() if not is_there]


class Program(unittest.TestCase):
    path = ""

    def setUp(self):
        with open(self.path, "rb") as file:
            self.data = bytearray(file.read(KEPT_BYTES))
        self.elf = Elf(self.data)

    def test_lacks_nothing(self):
        self.assertEqual(missing(self.data), [])

    # ---- each of them taken out of a copy

    def change_header(self, wanted, change):
        for at, (kind, flags, *_) in zip(self.elf.headers, self.elf.segments):
            if kind == wanted:
                struct.pack_into("<II", self.data, at, *change(kind, flags))

    def change_entry(self, wanted, tag, value):
        for at, found, old in list(self.elf.entries()):
            if found == wanted:
                struct.pack_into("<QQ", self.data, at, tag, value(old))

    def change_name(self, old, new):
        begin, end = self.elf.strings_at()
        at = self.data.find(old, begin, end)
        self.assertGreaterEqual(at, 0, f"{old} is no name here")
        self.data[at:at + len(old)] = new

    def change_features(self, bit):
        kept = struct.pack("<II", GNU_PROPERTY_X86_FEATURE_1_AND, 4)
        at = self.data.find(kept, self.elf.of_type(PT_GNU_PROPERTY)[0][2]) + 8
        struct.pack_into("<I", self.data, at, self.elf.features() & ~bit)

    def assert_missed(self, name):
        self.assertEqual(missing(self.data), [name])

    def test_misses_position_independence(self):
        struct.pack_into("<H", self.data, 16, 2)
        self.assert_missed("position independent")

    def test_misses_relro(self):
        self.change_header(PT_GNU_RELRO, lambda kind, flags: (0, flags))
        self.assert_missed("relro")

    def test_misses_immediate_binding(self):
        self.change_entry(DT_FLAGS, DT_FLAGS, lambda old: old & ~DF_BIND_NOW)
        self.change_entry(DT_FLAGS_1, DT_FLAGS_1, lambda old: old & ~DF_1_NOW)
        self.assert_missed("immediate binding")

    def test_misses_a_stack_that_is_only_data(self):
        self.change_header(PT_GNU_STACK, lambda kind, flags: (kind, flags | PF_X))
        self.assert_missed("no executable stack")

    def test_misses_the_word_on_the_stack(self):
        self.change_header(PT_GNU_STACK, lambda kind, flags: (0, flags))
        self.assert_missed("no executable stack")

    def test_misses_memory_that_is_either(self):
        self.change_header(PT_LOAD, lambda kind, flags: (kind, flags | PF_W))
        self.assert_missed("nothing writable and executable")

    def test_misses_text_that_stays(self):
        self.change_entry(DT_FLAGS, DT_FLAGS, lambda old: old | DF_TEXTREL)
        self.assert_missed("no text relocations")

    def test_misses_the_stack_protector(self):
        self.change_name(b"\0__stack_chk_fail\0", b"\0__stack_xxx_fail\0")
        self.assert_missed("stack protector")

    def test_misses_fortified_calls(self):
        for name in self.elf.strings():
            if name.startswith(b"__") and name.endswith(b"_chk"):
                self.change_name(b"\0" + name + b"\0", b"\0" + name[:-3] + b"xxx\0")
        self.assert_missed("fortified calls")

    def test_misses_indirect_branch_tracking(self):
        if self.elf.machine != EM_X86_64:
            self.skipTest("of x86-64")
        self.change_features(IBT)
        self.assert_missed("indirect branch tracking")

    def test_misses_the_shadow_stack(self):
        if self.elf.machine != EM_X86_64:
            self.skipTest("of x86-64")
        self.change_features(SHSTK)
        self.assert_missed("shadow stack")


if __name__ == "__main__":
    Program.path = sys.argv.pop(1)
    unittest.main()
