#!/bin/sh
# The C compiler OTP is built with: the host's gcc on musl's headers and libraries and on the terminal library. The emulator's
# own link goes to link-beam, which keeps the partial object.
#
# OTP also links libcrypto into a shared object, to see that it can and to install it. Nobody loads that, for the NIF is in the
# emulator; and libcrypto is position dependent. So those links are partial ones.
sysroot='@SYSROOT@'
tinfo='@TINFO@'
tools='@TOOLS@'
previous=
output=
shared=
libcrypto=
for argument; do
    case $argument in -shared) shared=yes ;; */libcrypto.a) libcrypto=yes ;; esac
    if [ "$previous" = -o ]; then
        output=$argument
        case $argument in */beam.jit | */beam.emu) exec "$tools/link-beam" "$@" ;; esac
    fi
    previous=$argument
done
if [ "$shared$libcrypto" = yesyes ]; then
    # One turn of the argument list, which leaves out what a partial link cannot have.
    count=$#
    while [ "$count" -gt 0 ]; do
        case $1 in -shared | -static | -no-pie | -Wl,*) ;; *) set -- "$@" "$1" ;; esac
        shift
        count=$((count - 1))
    done
    "$sysroot/bin/musl-gcc" -r -nostdlib -isystem "$tinfo/include" "$@" || exit
    # configure asks whether what came out could be run, as a shared object could.
    exec chmod +x "$output"
fi
exec "$sysroot/bin/musl-gcc" -isystem "$tinfo/include" -L"$tinfo/lib" "$@"
