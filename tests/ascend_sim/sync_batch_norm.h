// Synchronised batch norm of the pretend Ascend, written from its definition.
namespace {

std::vector<int64_t> all_but_channel(const at::Tensor& x) {
  std::vector<int64_t> dims{0};
  for (int64_t d = 2; d < x.dim(); d++) dims.push_back(d);
  return dims;
}
at::Tensor spread(const at::Tensor& v, const at::Tensor& like) {
  std::vector<int64_t> shape(like.dim(), 1);
  shape[1] = -1;
  return v.reshape(shape);
}

std::tuple<at::Tensor, at::Tensor> bn_stats(const at::Tensor& x, double eps) {
  log_op("aten::batch_norm_stats");
  auto f = x.to(at::kFloat);
  auto dims = all_but_channel(x);
  return {f.mean(dims), (f.var(dims, /*unbiased=*/false) + eps).rsqrt()};
}

std::tuple<at::Tensor, at::Tensor> bn_gather(const at::Tensor& x, const at::Tensor& mean,
                                             const at::Tensor& invstd,
                                             const std::optional<at::Tensor>& running_mean,
                                             const std::optional<at::Tensor>& running_var, double momentum,
                                             double eps, const at::Tensor& counts) {
  log_op("aten::batch_norm_gather_stats_with_counts");
  auto n = counts.to(mean.dtype()).view({-1, 1});
  auto total = n.sum();
  auto m = (mean * n).sum(0) / total;
  auto var_each = invstd.pow(-2) - eps;
  auto var = ((var_each + (mean - m).pow(2)) * n).sum(0) / total;
  if (running_mean && running_mean->defined())
    running_mean->mul_(1 - momentum).add_(m.to(running_mean->dtype()), momentum);
  if (running_var && running_var->defined())
    running_var->mul_(1 - momentum).add_((var * (total / (total - 1))).to(running_var->dtype()), momentum);
  return {m, (var + eps).rsqrt()};
}

at::Tensor bn_elemt(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                    const std::optional<at::Tensor>& bias, const at::Tensor& mean, const at::Tensor& invstd,
                    double) {
  log_op("aten::batch_norm_elemt");
  auto y = (x.to(mean.dtype()) - spread(mean, x)) * spread(invstd, x);
  if (weight && weight->defined()) y = y * spread(weight->to(mean.dtype()), x);
  if (bias && bias->defined()) y = y + spread(bias->to(mean.dtype()), x);
  return y.to(x.dtype());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> bn_backward_reduce(
    const at::Tensor& grad, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& invstd,
    const std::optional<at::Tensor>& weight, bool, bool weight_g, bool bias_g) {
  log_op("aten::batch_norm_backward_reduce");
  auto dims = all_but_channel(x);
  auto g = grad.to(mean.dtype());
  auto sum_dy = g.sum(dims);
  auto sum_dy_xmu = (g * (x.to(mean.dtype()) - spread(mean, x))).sum(dims);
  auto type = weight && weight->defined() ? weight->scalar_type() : mean.scalar_type();
  return {sum_dy, sum_dy_xmu, weight_g ? (sum_dy_xmu * invstd).to(type) : at::Tensor(),
          bias_g ? sum_dy.to(type) : at::Tensor()};
}

at::Tensor bn_backward_elemt(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& mean,
                             const at::Tensor& invstd, const std::optional<at::Tensor>& weight,
                             const at::Tensor& sum_dy, const at::Tensor& sum_dy_xmu,
                             const at::Tensor& count) {
  log_op("aten::batch_norm_backward_elemt");
  auto n = count.sum().to(mean.dtype());
  auto g = grad.to(mean.dtype());
  auto xmu = x.to(mean.dtype()) - spread(mean, x);
  auto out =
      (g - spread(sum_dy / n, x) - xmu * spread(invstd * invstd * sum_dy_xmu / n, x)) * spread(invstd, x);
  if (weight && weight->defined()) out = out * spread(weight->to(mean.dtype()), x);
  return out.to(x.dtype());
}

}  // namespace
