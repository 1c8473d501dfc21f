//! The machine.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __system_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $($view)*! {
            $($rows)*
            99 sysinfo system::sysinfo(info: Out<Sysinfo>) partial "shared and buffers are 0: memory of files counts as used";
            103 syslog system::syslog(kind: I32, bufp: Out<u8>, len: I32)
                absent "the log of the libOS goes to the console";
            135 personality system::personality(persona: Usize)
                stub "there is one personality, PER_LINUX: the answer is 0";
            169 reboot system::reboot(magic: U32, magic2: U32, op: RebootCmd, arg: UserPtr)
                partial "halt, power off and restart";
            170 sethostname system::sethostname(name: In<u8>, len: Len)
                absent "the host name is a setting of the command line";
            318 getrandom system::getrandom(buf: Out<u8>, buflen: Len, flags: GetrandomFlags) full;
        }
    };
}
