//! Devices that a model is computed on.

use std::fmt;
use std::str::FromStr;

use burn_tensor::Device as BurnDevice;

/// The device that a configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The first accelerator that this build reaches, CUDA's before wgpu's; the processor where there is none. A
    /// software renderer is no accelerator.
    #[default]
    Auto,
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
    /// The adapter of this number that wgpu finds: Vulkan, Metal or DirectX. Software renderers count.
    Wgpu(usize),
}

/// Not `auto`, `cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no device {0:?}: there are auto, cpu, cuda, cuda:N, wgpu and wgpu:N")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse::<u16>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        let index = usize::from(number.unwrap_or(0));
        match (kind, number) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(index)),
            ("wgpu", _) => Ok(Self::Wgpu(index)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Wgpu(index) => write!(f, "wgpu:{index}"),
        }
    }
}

/// Why a device can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("this build has no {feature}: build it with --features {feature}, or ask for device = \"cpu\"")]
    NotBuilt { feature: &'static str },
    #[error("there is no device {asked}: {found} of its kind answered")]
    Missing { asked: Device, found: usize },
    #[error("device {asked} doesn't compute what it should: is its driver complete?")]
    Broken { asked: Device },
}

/// A place that can compute.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    pub(crate) computes: Computes,
}

#[derive(Clone, Debug)]
pub(crate) enum Computes {
    /// Loops of our own over slices: the faster on the processor.
    Slices,
    /// burn's operations on its device.
    Tensors(BurnDevice),
}

impl Place {
    /// The processor.
    pub fn cpu() -> Self {
        Self { name: Device::Cpu.to_string(), computes: Computes::Slices }
    }

    /// The processor, by burn's operations: the measure that the faster loops are compared with.
    pub fn burn_cpu() -> Self {
        Self { name: "cpu, by burn".to_owned(), computes: Computes::Tensors(BurnDevice::flex()) }
    }

    /// Finds the device and lets it compute something.
    ///
    /// # Errors
    /// A device that this build can't reach, that isn't there, or that computes nothing.
    pub fn find(asked: Device) -> Result<Self, DeviceError> {
        let (found, index) = match asked {
            Device::Cpu => return Ok(Self::cpu()),
            Device::Auto => return Ok(Self::best()),
            Device::Cuda(index) => (cuda()?, index),
            Device::Wgpu(index) => (wgpu()?, index),
        };
        let device = found.get(index).cloned();
        let device = device.ok_or(DeviceError::Missing { asked, found: found.len() })?;
        Self::of(device).ok_or(DeviceError::Broken { asked })
    }

    /// The name of the device: `cpu`, or the accelerator's own.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn best() -> Self {
        // A backend that isn't built in or has no device is no error here: `auto` takes what there is.
        let cuda = cuda().unwrap_or_default();
        let wgpu = wgpu().unwrap_or_default().into_iter().filter(is_card);
        cuda.into_iter().chain(wgpu).find_map(Self::of).unwrap_or_else(Self::cpu)
    }

    /// `None` if it computes nothing, or nonsense.
    fn of(device: BurnDevice) -> Option<Self> {
        let probe = || {
            let values = burn_tensor::Tensor::<2>::ones([8, 8], &device);
            values.clone().matmul(values).try_into_data().ok()
        };
        // A driver that lacks a part of itself panics.
        let computed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(probe)).ok()??;
        // Sums of eight ones are exact in every number format.
        let right = computed.as_slice::<f32>().is_ok_and(|values| values == [8.0; 64]);
        right.then(|| Self { name: name(&device), computes: Computes::Tensors(device) })
    }

    /// The device of burn's operations for this place: models without slice kernels run on burn's processor backend.
    pub(crate) fn burn(&self) -> BurnDevice {
        match &self.computes {
            Computes::Slices => BurnDevice::flex(),
            Computes::Tensors(device) => device.clone(),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Vec<BurnDevice>, DeviceError> {
    Ok(BurnDevice::enumerate(burn_tensor::DeviceType::Cuda).into_vec())
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Vec<BurnDevice>, DeviceError> {
    Err(DeviceError::NotBuilt { feature: "cuda" })
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Vec<BurnDevice>, DeviceError> {
    Ok(BurnDevice::enumerate(burn_tensor::DeviceType::Wgpu).into_vec())
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<Vec<BurnDevice>, DeviceError> {
    Err(DeviceError::NotBuilt { feature: "wgpu" })
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn is_card(device: &BurnDevice) -> bool {
    device.identity().is_some_and(|identity| identity.physical.is_some())
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn name(device: &BurnDevice) -> String {
    device.identity().map_or_else(|| format!("{device:?}"), |identity| identity.name)
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn is_card(_: &BurnDevice) -> bool {
    false
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn name(device: &BurnDevice) -> String {
    format!("{device:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for text in ["auto", "cpu", "cuda:0", "wgpu:3"] {
            assert_eq!(text.parse::<Device>().expect(text).to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cpu:1", "auto:0", "cuda:99999"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_said_and_auto_computes_anyway() {
        assert_eq!(Place::find(Device::Cpu).expect("always there").name(), "cpu");
        assert!(!Place::find(Device::Auto).expect("the processor at least").name().is_empty());
        for asked in [Device::Cuda(9_999), Device::Wgpu(9_999)] {
            let error = Place::find(asked).expect_err("nobody has that many").to_string();
            assert!(error.contains("--features") || error.contains("9999"), "{error}");
        }
    }
}
