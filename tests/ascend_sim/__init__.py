"""A pretend Ascend for tests: the real torch_npu, on a CANN runtime and an HCCL of our own in host memory.

Nothing here is imported by the program: `wheel.environment` gives the variables with which any Python of this
machine has eight NPUs, its children too. Numbers are the CPU's and streams have always finished; what is real
are torch_npu's names, registrations, rules and process group. Variables of its own: NPU_SIM_DEVICES (8),
NPU_SIM_NAME (Ascend910B3), NPU_SIM_OPERATORS (a file that operators' names are appended to).
"""
