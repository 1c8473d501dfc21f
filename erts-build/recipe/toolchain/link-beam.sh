#!/bin/sh
# Links the emulator in two steps. First every object and archive of it becomes one relocatable object, $output.o: that is
# what the image links. Then that object and the stock musl become $output.twin, the image's twin on Linux.
#
# crypto's NIF becomes an object of its own, $output.crypto.o, together with the parts of libcrypto it needs. Whoever does without it
# links $output.o alone, as the twin does: that refers to crypto's one function weakly, and the emulator's table of NIFs ends there.
# $output, the emulator of OTP's installation on this host, has both.
set -eu
sysroot='@SYSROOT@'
tinfo='@TINFO@'
openssl='@OPENSSL@'
tools='@TOOLS@'

output=
crypto=
count=$#
previous=
# One turn of the argument list: what names an input (or where to find it) goes to the end, the rest is the final link's.
# Inputs and flags are told apart by a marker, since sh has one list only.
set -- "$@" --inputs--
final=
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ "$previous" = -o ]; then
        output=$argument
        previous=
        continue
    fi
    case $argument in
    -o) previous=-o ;;
    */crypto.a) crypto=$argument ;;
    *.o | *.a | -L* | -l*) set -- "$@" "$argument" ;;
    *) final="$final $argument" ;;
    esac
done
shift # the marker

ld -r -o "$output.o" "$@" "$tools/libcxxshim.a" -L"$tinfo/lib" -L"$sysroot/lib" "$(gcc -print-libgcc-file-name)"
objcopy --weaken-symbol=crypto_nif_init "$output.o"

ld -r -d -o "$output.crypto.o" -u crypto_nif_init "$crypto" "$openssl/lib/libcrypto.a"
# OpenSSL's names stay its own: the emulator has an MD5 of OpenSSL's, too.
objcopy --keep-global-symbol=crypto_nif_init "$output.crypto.o"
# shellcheck disable=SC2086 # the flags of this link hold no blanks
"$sysroot/bin/musl-gcc" $final -o "$output.twin" "$output.o"
# shellcheck disable=SC2086
exec "$sysroot/bin/musl-gcc" $final -o "$output" "$output.o" "$output.crypto.o"
