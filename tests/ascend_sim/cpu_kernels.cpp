// The arithmetic of the pretend Ascend: takes the place of torch_npu's kernels and runs the CPU's over
// the same bytes.  Allocation, views, streams, generators and collectives stay torch_npu's own.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ExpandUtils.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/library.h>

#include <cstring>
#include <map>
#include <mutex>
#include <unordered_set>

namespace {

constexpr auto kDev = c10::DeviceType::PrivateUse1;
std::map<std::string, int64_t> g_log;
std::mutex g_mutex;
void log_op(const std::string& name) {
  std::lock_guard<std::mutex> lock(g_mutex);
  g_log[name]++;
}

bool on_npu(const at::Tensor& t) { return t.defined() && t.device().type() == kDev; }

struct Call {
  c10::Device device{kDev, 0};
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors;       // (device, host)
  std::vector<std::pair<c10::Storage, c10::Storage>> storages;  // (device, host)

  c10::Storage to_host(const c10::Storage& dev) {
    for (auto& [d, h] : storages)
      if (d.unsafeGetStorageImpl() == dev.unsafeGetStorageImpl()) return h;
    auto* keep = new c10::Storage(dev);
    c10::DataPtr ptr(
        dev.mutable_data(), keep, [](void* p) { delete static_cast<c10::Storage*>(p); },
        c10::Device(c10::kCPU));
    c10::Storage host(c10::Storage::use_byte_size_t{}, dev.nbytes(), std::move(ptr),
                      c10::GetAllocator(c10::kCPU), true);
    storages.emplace_back(dev, host);
    return host;
  }
  at::Tensor to_host(const at::Tensor& t) {
    if (!on_npu(t)) return t;
    for (auto& [d, h] : tensors)
      if (d.is_same(t)) return h;
    auto impl = c10::make_intrusive<c10::TensorImpl>(to_host(t.storage()),
                                                     c10::DispatchKeySet(c10::DispatchKey::CPU), t.dtype());
    impl->set_sizes_and_strides(t.sizes(), t.strides(), t.storage_offset());
    if (t.unsafeGetTensorImpl()->is_wrapped_number()) impl->set_wrapped_number(true);
    tensors.emplace_back(t, at::Tensor(std::move(impl)));
    return tensors.back().second;
  }
  static void copy_bytes(const at::Tensor& to, const at::Tensor& from) {
    if (from.numel())
      std::memcpy(to.data_ptr(), from.data_ptr(),
                  at::detail::computeStorageNbytes(from.sizes(), from.strides(), from.itemsize()));
  }
  at::Tensor to_npu(const at::Tensor& t) {
    if (!t.defined() || t.device().type() != c10::kCPU) return t;
    for (auto& [d, h] : tensors)
      if (h.is_same(t)) return d;
    for (auto& [d, h] : tensors)
      if (h.storage().is_alias_of(t.storage()))
        return at::as_strided(d, t.sizes(), t.strides(), t.storage_offset());
    auto out = at::empty_strided(t.sizes(), t.strides(), t.options().device(device));
    copy_bytes(out, t);
    return out;
  }
  void write_back() {
    for (auto& [d, h] : tensors) {
      if (d.data_ptr() == h.data_ptr() && d.sizes() == h.sizes() && d.strides() == h.strides()) continue;
      d.resize_(h.sizes(), h.suggest_memory_format());
      if (d.strides() != h.strides()) d.unsafeGetTensorImpl()->set_sizes_and_strides(h.sizes(), h.strides());
      copy_bytes(d, h);
    }
  }
};

// A CPU generator at the place where the device's counter stands; the counter moves on.
at::Generator host_generator(at::Generator g) {
  TORCH_CHECK(g.device().type() == kDev, "Expected a 'npu' device type for generator but found '",
              g.device().type(), "'");
  std::lock_guard<std::mutex> lock(g.mutex());
  auto at = g.get_offset();
  g.set_offset(at + 4);
  return at::detail::createCPUGenerator(g.current_seed() + 0x9e3779b97f4a7c15ull * at);
}

bool takes_host_tensors(const std::string& name) {
  static const std::unordered_set<std::string> names{"aten::index",
                                                     "aten::index_put_",
                                                     "aten::index_put",
                                                     "aten::_index_put_impl_",
                                                     "aten::copy_",
                                                     "aten::_copy_from",
                                                     "aten::_copy_from_and_resize",
                                                     "aten::to"};
  return names.count(name) > 0;
}

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  log_op(c10::toString(op.operator_name()));
  const auto begin = stack->size() - schema.arguments().size();
  Call call;
  std::optional<c10::Device> device;
  bool host = false;
  auto look = [&](const at::Tensor& t) {
    if (on_npu(t)) {
      if (!device) device = t.device();
      TORCH_CHECK(*device == t.device() || takes_host_tensors(schema.name()),
                  "Expected all tensors to be on the same device, but found at least two devices, ", *device,
                  " and ", t.device(), "! (", schema.name(), ")");
    } else if (t.defined() && t.dim() > 0 && t.device().type() == c10::kCPU) host = true;
  };
  for (size_t i = begin; i < stack->size(); i++) {
    const auto& v = (*stack)[i];
    if (v.isTensor()) look(v.toTensor());
    else if (v.isTensorList())
      for (const at::Tensor& t : v.toTensorList()) look(t);
    else if (v.isOptionalTensorList())
      for (const std::optional<at::Tensor>& t : v.toOptionalTensorList()) {
        if (t) look(*t);
      }
    else if (v.isDevice() && v.toDevice().type() == kDev && !device) device = v.toDevice();
  }
  TORCH_CHECK(!(device && host) || takes_host_tensors(schema.name()),
              "Expected all tensors to be on the same device, but found at least two devices, ", *device,
              " and cpu! (", schema.name(), ")");
  call.device = device && device->has_index()
                    ? *device
                    : c10::Device(kDev, c10::impl::getDeviceGuardImpl(kDev)->getDevice().index());
  for (size_t i = begin; i < stack->size(); i++) {
    auto& v = (*stack)[i];
    const auto& type = *schema.arguments()[i - begin].type();
    if (v.isTensor()) v = call.to_host(v.toTensor());
    else if (v.isTensorList()) {
      c10::List<at::Tensor> out;
      for (const at::Tensor& t : v.toTensorList()) out.push_back(call.to_host(t));
      v = out;
    } else if (v.isOptionalTensorList()) {
      c10::List<std::optional<at::Tensor>> out;
      for (const std::optional<at::Tensor>& t : v.toOptionalTensorList())
        out.push_back(t ? std::optional<at::Tensor>(call.to_host(*t)) : std::nullopt);
      v = out;
    } else if (v.isDevice() && v.toDevice().type() == kDev) v = c10::Device(c10::kCPU);
    else if (v.isGenerator()) v = host_generator(v.toGenerator());
    else if (v.isNone() && type.kind() == c10::TypeKind::OptionalType &&
             type.castRaw<c10::OptionalType>()->getElementType()->kind() == c10::TypeKind::GeneratorType)
      v = host_generator(at::globalContext().defaultGenerator(call.device));
  }
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  call.write_back();
  for (size_t i = stack->size() - schema.returns().size(); i < stack->size(); i++) {
    auto& v = (*stack)[i];
    if (v.isTensor()) v = call.to_npu(v.toTensor());
    else if (v.isTensorList()) {
      c10::List<at::Tensor> out;
      for (const at::Tensor& t : v.toTensorList()) out.push_back(call.to_npu(t));
      v = out;
    }
  }
}

at::Tensor& copy(at::Tensor& self, const at::Tensor& src, bool) {
  log_op("aten::copy_");
  Call call;
  auto to = call.to_host(self), from = call.to_host(src);
  to.copy_(from);
  return self;
}

at::Tensor conv(const at::Tensor& x, const at::Tensor& w, const std::optional<at::Tensor>& b,
                c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                bool transposed, c10::SymIntArrayRef output_padding, c10::SymInt groups) {
  log_op("aten::convolution_overrideable");
  Call call{x.device(), {}, {}};
  auto bias = b ? std::optional<at::Tensor>(call.to_host(*b)) : std::nullopt;
  return call.to_npu(at::convolution_symint(call.to_host(x), call.to_host(w), bias, stride, padding, dilation,
                                            transposed, output_padding, groups));
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> conv_backward(const at::Tensor& g, const at::Tensor& x,
                                                             const at::Tensor& w, c10::SymIntArrayRef stride,
                                                             c10::SymIntArrayRef padding,
                                                             c10::SymIntArrayRef dilation, bool transposed,
                                                             c10::SymIntArrayRef output_padding,
                                                             c10::SymInt groups, std::array<bool, 3> mask) {
  log_op("aten::convolution_backward_overrideable");
  Call call{x.device(), {}, {}};
  std::vector<c10::SymInt> bias{transposed ? w.sym_size(1) * groups : w.sym_size(0)};
  auto [a, b, c] = at::convolution_backward_symint(call.to_host(g), call.to_host(x), call.to_host(w),
                                                   c10::SymIntArrayRef(bias), stride, padding, dilation,
                                                   transposed, output_padding, groups, mask);
  return {call.to_npu(a), call.to_npu(b), call.to_npu(c)};
}

std::tuple<at::Tensor, at::Tensor> dropout(const at::Tensor& x, double p, std::optional<bool> train) {
  auto mask = at::empty_like(x, at::kBool);
  if (!train.value_or(true) || p == 0) return {x.clone(), mask.fill_(true)};
  mask.bernoulli_(1 - p);
  return {p == 1 ? at::zeros_like(x) : x * mask * (1 / (1 - p)), mask};
}
at::Tensor dropout_backward(const at::Tensor& g, const at::Tensor& mask, double scale) {
  return g * mask * scale;
}

// torch_npu differentiates matmul as a whole
std::tuple<at::Tensor, at::Tensor> matmul_backward(const at::Tensor& g, const at::Tensor& a,
                                                   const at::Tensor& b, std::array<bool, 2> mask) {
  log_op("aten::matmul_backward");
  auto x = a.dim() == 1 ? a.unsqueeze(0) : a, y = b.dim() == 1 ? b.unsqueeze(1) : b, dz = g;
  if (b.dim() == 1) dz = dz.unsqueeze(-1);
  if (a.dim() == 1) dz = dz.unsqueeze(-2);
  return {
      mask[0] ? at::sum_to(at::matmul(dz, y.transpose(-1, -2)), x.sizes()).reshape(a.sizes()) : at::Tensor(),
      mask[1] ? at::sum_to(at::matmul(x.transpose(-1, -2), dz), y.sizes()).reshape(b.sizes()) : at::Tensor()};
}

at::Tensor copy_and_resize(const at::Tensor& src, const at::Tensor& dst) {
  dst.resize_(src.sizes());
  return dst.copy_(src);
}

// torch_npu's own attention draws its dropout past the dispatcher: the reference formula instead
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const std::optional<at::Tensor>& mask, double p, bool causal,
                     std::optional<double> scale, bool gqa) {
  return std::get<0>(
      at::_scaled_dot_product_attention_math(q, k, v, mask, p, causal, std::nullopt, scale, gqa));
}

at::Tensor one_hot(const at::Tensor& self, int64_t classes) {
  if (classes < 0) classes = self.max().item<int64_t>() + 1;
  auto shape = self.sizes().vec();
  shape.push_back(classes);
  return at::zeros(shape, self.options()).scatter_(-1, self.unsqueeze(-1), 1);
}

}  // namespace

#include "sync_batch_norm.h"

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("install", [] {
    static torch::Library lib(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__,
                              __LINE__);
    static const std::unordered_set<std::string> own{"aten::resize_",
                                                     "aten::record_stream",
                                                     "aten::is_set_to",
                                                     "aten::is_pinned",
                                                     "aten::_pin_memory",
                                                     "aten::_local_scalar_dense",
                                                     "aten::set_",
                                                     "aten::view",
                                                     "aten::_reshape_alias",
                                                     "aten::_to_copy",
                                                     "aten::to"};
#define SPECIAL(name, f) lib.impl(name, f)
    SPECIAL("copy_", copy);
    SPECIAL("convolution_overrideable", conv);
    SPECIAL("convolution_backward_overrideable", conv_backward);
    SPECIAL("native_dropout", dropout);
    SPECIAL("native_dropout_backward", dropout_backward);
    SPECIAL("matmul_backward", matmul_backward);
    SPECIAL("_copy_from_and_resize", copy_and_resize);
    static torch::Library above(torch::Library::IMPL, "aten", c10::DispatchKey::AutogradPrivateUse1, __FILE__,
                                __LINE__);
    above.impl("one_hot", one_hot);
    above.impl("scaled_dot_product_attention", attention);
    SPECIAL("batch_norm_stats", bn_stats);
    SPECIAL("batch_norm_gather_stats_with_counts", bn_gather);
    SPECIAL("batch_norm_elemt", bn_elemt);
    SPECIAL("batch_norm_backward_reduce", bn_backward_reduce);
    SPECIAL("batch_norm_backward_elemt", bn_backward_elemt);
    static const std::unordered_set<std::string> done{"aten::copy_",
                                                      "aten::convolution_overrideable",
                                                      "aten::convolution_backward_overrideable",
                                                      "aten::native_dropout",
                                                      "aten::native_dropout_backward",
                                                      "aten::matmul_backward",
                                                      "aten::_copy_from_and_resize",
                                                      "aten::batch_norm_stats",
                                                      "aten::batch_norm_gather_stats_with_counts",
                                                      "aten::batch_norm_elemt",
                                                      "aten::batch_norm_backward_reduce",
                                                      "aten::batch_norm_backward_elemt"};
    int replaced = 0, kept = 0;
    auto& dispatcher = c10::Dispatcher::singleton();
    for (const auto& name : dispatcher.getRegistrationsForDispatchKey(c10::DispatchKey::PrivateUse1)) {
      if (name.name.rfind("aten::", 0) != 0) continue;
      auto op = dispatcher.findOp(name);
      bool view = false;
      if (op && op->hasSchema())
        for (const auto& r : op->schema().returns()) view |= r.alias_info() && !r.alias_info()->isWrite();
      if (!op || !op->hasSchema() || view || own.count(name.name) || done.count(name.name) ||
          name.name.rfind("aten::empty", 0) == 0 || name.name.rfind("aten::new_empty", 0) == 0) {
        kept++;
        continue;
      }
      lib.impl(c10::toString(name).c_str(), torch::CppFunction::makeFromBoxedFunction<&fallback>());
      replaced++;
    }
    return std::make_pair(replaced, kept);
  });
  m.def(
      "op_log",
      [](bool clear) {
        auto out = g_log;
        if (clear) g_log.clear();
        return out;
      },
      py::arg("clear") = false);
}
