//! What a component needs that no operating system gives it.

/// Gives a component its memory, and says what a panic is: a fault of the component, which traps, and which the host names.
#[macro_export]
macro_rules! runtime {
    () => {
        #[global_allocator]
        static ALLOCATOR: $crate::GlobalDlmalloc = $crate::GlobalDlmalloc;

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            core::arch::wasm32::unreachable()
        }
    };
}
