//! Locks and atomics, the same names on the machine, in host tests and under the loom model checker.

pub use core::sync::atomic::Ordering;

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};

/// Tells the CPU (or the model checker) that this loop waits for another thread.
#[inline]
pub fn spin_hint() {
    #[cfg(not(loom))]
    core::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

#[cfg(not(loom))]
pub use kernel::{Guard, Lock};

#[cfg(loom)]
pub use model::{Guard, Lock};

#[cfg(not(loom))]
mod kernel {
    use crate::gate::Gate;
    use crate::platform::Platform;
    use core::fmt;
    use core::marker::PhantomData;
    use core::ops::{Deref, DerefMut};
    use spin::mutex::{SpinMutex, SpinMutexGuard};

    /// Mutual exclusion for short critical sections: preemption is off while it is held, and a waiter halts instead of spinning.
    ///
    /// Never park, and never copy from or to user memory with a fault that could sleep, while one is held.
    pub struct Lock<P: Platform, T> {
        inner: SpinMutex<T>,
        gate: Gate,
        platform: PhantomData<fn() -> P>,
    }

    impl<P: Platform, T> Lock<P, T> {
        /// A free lock around `value`.
        pub const fn new(value: T) -> Self {
            Self { inner: SpinMutex::new(value), gate: Gate::new(), platform: PhantomData }
        }

        /// Takes the lock, waiting for it if it must.
        #[inline]
        pub fn lock(&self) -> Guard<'_, P, T> {
            P::preempt_disable();
            let inner = match self.inner.try_lock() {
                Some(inner) => inner,
                None => self.gate.pass::<P, _>(|| self.inner.try_lock()),
            };
            Guard { inner, _after: Release { gate: &self.gate, platform: PhantomData } }
        }

        /// Takes the lock if it is free.
        #[inline]
        pub fn try_lock(&self) -> Option<Guard<'_, P, T>> {
            P::preempt_disable();
            match self.inner.try_lock() {
                Some(inner) => Some(Guard { inner, _after: Release { gate: &self.gate, platform: PhantomData } }),
                None => {
                    P::preempt_enable();
                    None
                }
            }
        }

        /// The value, when the borrow checker proves that nobody else can hold the lock.
        pub fn get_mut(&mut self) -> &mut T {
            self.inner.get_mut()
        }

        /// Unwraps the value.
        pub fn into_inner(self) -> T {
            self.inner.into_inner()
        }
    }

    impl<P: Platform, T: Default> Default for Lock<P, T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    impl<P: Platform, T> fmt::Debug for Lock<P, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Lock")
        }
    }

    /// Proof that a [`Lock`] is held; dropping it releases the lock.
    pub struct Guard<'a, P: Platform, T> {
        // Fields are dropped in this order: the lock is free before a waiter is kicked.
        inner: SpinMutexGuard<'a, T>,
        _after: Release<'a, P>,
    }

    /// What follows the release of the lock itself.
    struct Release<'a, P: Platform> {
        gate: &'a Gate,
        platform: PhantomData<fn() -> P>,
    }

    impl<P: Platform> Drop for Release<'_, P> {
        #[inline]
        fn drop(&mut self) {
            self.gate.open::<P>();
            P::preempt_enable();
        }
    }

    impl<P: Platform, T> Deref for Guard<'_, P, T> {
        type Target = T;
        #[inline]
        fn deref(&self) -> &T {
            &self.inner
        }
    }

    impl<P: Platform, T> DerefMut for Guard<'_, P, T> {
        #[inline]
        fn deref_mut(&mut self) -> &mut T {
            &mut self.inner
        }
    }
}

#[cfg(loom)]
mod model {
    use crate::platform::Platform;
    use core::marker::PhantomData;
    use core::ops::{Deref, DerefMut};

    /// The model checker's own mutex under the kernel lock's name. The halting gate has a model of its own.
    #[derive(Debug)]
    pub struct Lock<P: Platform, T> {
        inner: loom::sync::Mutex<T>,
        platform: PhantomData<fn() -> P>,
    }

    impl<P: Platform, T> Lock<P, T> {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            Self { inner: loom::sync::Mutex::new(value), platform: PhantomData }
        }

        /// Takes the lock.
        pub fn lock(&self) -> Guard<'_, P, T> {
            Guard { inner: self.inner.lock().unwrap(), platform: PhantomData }
        }

        /// Takes the lock if it is free.
        pub fn try_lock(&self) -> Option<Guard<'_, P, T>> {
            self.inner.try_lock().ok().map(|inner| Guard { inner, platform: PhantomData })
        }
    }

    impl<P: Platform, T: Default> Default for Lock<P, T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    /// Proof that a [`Lock`] is held.
    pub struct Guard<'a, P: Platform, T> {
        inner: loom::sync::MutexGuard<'a, T>,
        platform: PhantomData<fn() -> P>,
    }

    impl<P: Platform, T> Deref for Guard<'_, P, T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.inner
        }
    }

    impl<P: Platform, T> DerefMut for Guard<'_, P, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.inner
        }
    }
}
