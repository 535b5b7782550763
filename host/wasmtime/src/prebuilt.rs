//! The component that comes built, in `partway-prebuilt`.

use crate::error::LoadError;
use crate::exporter::Exporter;

impl Exporter {
    /// The component in `partway-prebuilt`, which writes SQL dumps and most other formats. With the feature `precompiled` it
    /// was compiled together with that crate, and is compiled again only if that code does not fit
    /// the machine.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    pub fn prebuilt() -> Result<Self, LoadError> {
        #[cfg(feature = "precompiled")]
        // SAFETY: the build script wrote it, of this component.
        if let Some(exporter) = unsafe { precompiled::load(partway_prebuilt::EXPORTER_CODE)? } {
            return Ok(exporter);
        }
        Self::new(partway_prebuilt::EXPORTER)
    }

    /// The component in `partway-prebuilt` that writes a format: Parquet has one of its own, which is compiled when it is
    /// first loaded; that of [`Exporter::prebuilt`] writes the others, and refuses what it does not know.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    pub fn prebuilt_for(format: &str) -> Result<Self, LoadError> {
        match format {
            "parquet" => Self::new(partway_prebuilt::PARQUET),
            _ => Self::prebuilt(),
        }
    }

    /// The component of [`Exporter::prebuilt`] in your own engine, as with [`Exporter::with_engine`].
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    pub fn prebuilt_with_engine(engine: &wasmtime::Engine) -> Result<Self, LoadError> {
        Self::with_engine(engine, partway_prebuilt::EXPORTER)
    }
}

#[cfg(feature = "precompiled")]
mod precompiled {
    use partway_prebuilt::EXPORTER;
    use wasmtime::component::Component;

    use crate::engine;
    use crate::error::LoadError;
    use crate::exporter::Exporter;

    /// Loads `code`; none if it is for another machine, or was compiled in another way or by
    /// another version of the compiler.
    ///
    /// # Safety
    ///
    /// Nothing checks the instructions in `code`: it must come from
    /// [`Engine::precompile_component`](wasmtime::Engine::precompile_component) for the component,
    /// or be something that can't be mistaken for its result.
    pub(super) unsafe fn load(code: &[u8]) -> Result<Option<Exporter>, LoadError> {
        if code.is_empty() {
            return Ok(None);
        }
        let engine = engine::loading().map_err(LoadError::engine)?;
        // SAFETY: as the caller says. wasmtime compares version, machine and settings before it trusts the rest.
        match unsafe { Component::deserialize(engine, code) } {
            Ok(component) => Exporter::link(component, EXPORTER, true).map(Some),
            Err(error) => {
                tracing::debug!(
                    "the precompiled component can't be used and is compiled again: {error:#}"
                );
                Ok(None)
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use async_trait::async_trait;
        use partway_prebuilt::EXPORTER_CODE as CODE;
        use wasmtime::Config;

        use super::{EXPORTER, load};
        use crate::exporter::{Exporter, Options};
        use crate::rows::{Cursor, Error, Rows, Schema};

        /// A database without a table.
        struct Empty;

        #[async_trait]
        impl Rows for Empty {
            async fn describe(&mut self) -> Result<Schema, Error> {
                Ok(Schema::new(vec![]))
            }

            async fn scan(
                &mut self,
                _: &[u8],
                _: &[Vec<u8>],
                _: Option<&[u8]>,
            ) -> Result<Box<dyn Cursor>, Error> {
                Err(Error::UnknownTable("there are none".into()))
            }
        }

        /// Whether the machine of this test has what the build script counts on.
        fn is_usual_machine() -> bool {
            #[cfg(target_arch = "x86_64")]
            return std::is_x86_feature_detected!("avx2")
                && std::is_x86_feature_detected!("fma")
                && std::is_x86_feature_detected!("bmi1")
                && std::is_x86_feature_detected!("bmi2")
                && std::is_x86_feature_detected!("lzcnt")
                && std::is_x86_feature_detected!("popcnt");
            #[cfg(not(target_arch = "x86_64"))]
            cfg!(target_arch = "aarch64")
        }

        fn starts(exporter: &Exporter) -> bool {
            let options = Options {
                format: "sql".into(),
                tables: vec![],
                part_size: 64 * 1024,
                settings: vec![],
            };
            exporter.start(Empty, &options).is_ok()
        }

        #[test]
        fn the_component_of_the_crate_is_compiled_with_it() {
            let exporter = Exporter::prebuilt().expect("the component");
            assert_eq!(exporter.is_precompiled(), is_usual_machine());
            assert!(starts(&exporter));
            let compiled = Exporter::new(EXPORTER).expect("the component");
            assert!(!compiled.is_precompiled());
            assert_eq!(exporter.digest(), compiled.digest());
        }

        /// What a compiler makes of the component that is set up as `set` says.
        fn code(set: impl FnOnce(&mut Config)) -> Vec<u8> {
            let mut config = crate::config();
            set(&mut config);
            let engine = wasmtime::Engine::new(&config).expect("an engine");
            engine.precompile_component(EXPORTER).expect("code")
        }

        #[test]
        fn code_that_does_not_fit_is_compiled_anew() {
            let other_machine = code(|config| {
                let other = if cfg!(windows) { "unknown-linux-gnu" } else { "pc-windows-msvc" };
                config.target(&format!("{}-{other}", std::env::consts::ARCH)).expect("a target");
            });
            let other_settings = code(|config| {
                config.epoch_interruption(false);
            });
            let other_version = code(|config| {
                let version = wasmtime::ModuleVersionStrategy::Custom("47.0.0".into());
                config.module_version(version).expect("a version");
            });
            let cut_off = CODE[..CODE.len() / 2].to_vec();
            for code in
                [other_machine, other_settings, other_version, cut_off, b"code".to_vec(), vec![]]
            {
                // SAFETY: the component's code, or too little of it to be taken for any.
                let exporter = unsafe { load(&code) }.expect("an engine");
                assert!(exporter.is_none());
            }
            // What is compared is the difference, not that it was compiled in a test.
            let own = code(|_| {});
            // SAFETY: the component's code.
            let exporter = unsafe { load(&own) }.expect("an engine").expect("the component");
            assert!(exporter.is_precompiled() && starts(&exporter));
        }
    }
}
