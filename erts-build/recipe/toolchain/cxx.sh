#!/bin/sh
# The C++ compiler OTP is built with: the host's g++ on libstdc++'s headers over musl's, and the shim instead of libstdc++.
# libstdc++'s os_defines.h asks for glibc's version (there is none) and names locale_t the glibc way.
sysroot='@SYSROOT@'
tools='@TOOLS@'
flags="-nostdinc -nostdinc++ -D__GLIBC_PREREQ(a,b)=0 -D__locale_t=locale_t @CXX_INCLUDES@"
previous=
link=yes
for argument; do
    case $argument in -c | -E | -S | -M | -MM) link=no ;; esac
    if [ "$previous" = -o ]; then
        case $argument in */beam.jit | */beam.emu) exec "$tools/link-beam" "$@" ;; esac
    fi
    previous=$argument
done
if [ $link = no ]; then
    # shellcheck disable=SC2086 # the flags hold no blanks but those between them
    exec g++ $flags "$@" -fno-exceptions -fno-rtti
fi
# shellcheck disable=SC2086
exec gcc -specs "$sysroot/lib/musl-gcc.specs" $flags "$@" "$tools/libcxxshim.a"
