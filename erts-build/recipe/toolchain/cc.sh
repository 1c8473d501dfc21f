#!/bin/sh
# The C compiler OTP is built with: the host's gcc on musl's headers and libraries and on the terminal library. The emulator's
# own link goes to link-beam, which keeps the partial object.
sysroot='@SYSROOT@'
tinfo='@TINFO@'
tools='@TOOLS@'
previous=
for argument; do
    if [ "$previous" = -o ]; then
        case $argument in */beam.jit | */beam.emu) exec "$tools/link-beam" "$@" ;; esac
    fi
    previous=$argument
done
exec "$sysroot/bin/musl-gcc" -isystem "$tinfo/include" -L"$tinfo/lib" "$@"
