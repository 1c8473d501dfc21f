// The part of the C++ runtime that BeamAsm and asmjit use.
//
// The JIT is C++17 without exceptions, RTTI or iostreams: it wants containers and `new`. Debian's libstdc++.a is built for
// glibc, so only its two free-standing members (red-black tree, hash-table primes) are taken from there; this file supplies
// the rest on top of whatever C library the emulator is linked with.
//
// Compiled with -D_GLIBCXX_EXTERN_TEMPLATE=0, so that the explicit instantiation below really emits code.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

// libstdc++ declares this one instantiation `extern template` and expects it in the library.
template class std::basic_string<char>;

// Identifies "this program" to __cxa_atexit. A static program has exactly one; crtbegin's definition wins where it is linked.
extern "C" {
__attribute__((weak, visibility("hidden"))) void *__dso_handle = nullptr;
}

namespace {

// Where libstdc++ would throw. The emulator is built with -fno-exceptions: there is nobody to catch.
[[noreturn]] void fatal(const char *what) {
    std::fprintf(stderr, "beam: C++ runtime: %s\n", what);
    std::abort();
}

void *allocate(std::size_t size) {
    void *memory = std::malloc(size != 0 ? size : 1);
    if (memory == nullptr) {
        fatal("out of memory");
    }
    return memory;
}

} // namespace

void *operator new(std::size_t size) { return allocate(size); }
void *operator new[](std::size_t size) { return allocate(size); }
void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size != 0 ? size : 1); }
void *operator new[](std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size != 0 ? size : 1); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }

// A pure virtual function was called: an object is used while it is being destroyed.
extern "C" [[noreturn]] void __cxa_pure_virtual() { fatal("pure virtual function called"); }

namespace std {

void __throw_bad_alloc() { fatal("bad_alloc"); }
void __throw_bad_array_new_length() { fatal("bad_array_new_length"); }
void __throw_bad_function_call() { fatal("bad_function_call"); }
void __throw_length_error(const char *what) { fatal(what); }
void __throw_logic_error(const char *what) { fatal(what); }
void __throw_invalid_argument(const char *what) { fatal(what); }
void __throw_out_of_range(const char *what) { fatal(what); }
void __throw_out_of_range_fmt(const char *format, ...) { fatal(format); }

} // namespace std
