"""Training steps of the paper's nets in PyTorch, one request at a time, for `tqn bench --peers`.

Started as:  python3 torch_peer.py NET BATCH THREADS DEVICE PRECISION   (NET "all" only counts parameters; THREADS 0 is PyTorch's choice;
DEVICE is cpu or cuda; PRECISION is f32, tf32 (products of 10 bits) or bf16 (autocast))
Prints one JSON line {"version", "device", "parameters"} (parameters by net) when ready, then for every line "MODE STEPS TIMES" on stdin (MODE is
channels_last or contiguous, with +compiled behind it for torch.compile, or +reduce-overhead for its mode of that name, which records CUDA graphs) one line with the seconds of a step, TIMES of them, each the mean of STEPS between two waits for the
device, as a JSON list, or with "error" where the mode does not run here (torch.compile wants a C++ compiler). Ends with stdin.
The nets are those of nets/model.go: batch norm after every convolution and hidden linear layer, option-A shortcuts.
"""
import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_bn_relu(i, o):
    return [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]


def vgg(groups, hidden, width=1.0):
    layers, i = [], 3
    for channels, repeats in groups:
        for _ in range(repeats):
            layers += conv_bn_relu(i, int(channels * width))
            i = int(channels * width)
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    i *= 16
    for h in hidden:
        h = int(h * width)
        layers += [nn.Linear(i, h, bias=False), nn.BatchNorm1d(h), nn.ReLU(inplace=True)]
        i = h
    return nn.Sequential(*layers, nn.Linear(i, 10))


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.stride, self.pad = stride, o - i

    def forward(self, x):
        y = self.b2(self.c2(torch.relu_(self.b1(self.c1(x)))))
        if self.pad or self.stride > 1:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.pad))
        return torch.relu_(x + y)


def resnet(widen=1, blocks=9, width=1.0):
    i = int(16 * width)
    w = i * widen
    layers = conv_bn_relu(3, i)
    for stride, o in ((1, w), (2, 2 * w), (2, 4 * w)):
        for k in range(blocks):
            layers.append(Block(i, o, stride if k == 0 else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, 10))


VGG9 = ((64, 2), (128, 2), (256, 3)), (256,)
NETS = {
    "vgg9": lambda: vgg(*VGG9),
    "vgg9-quarter": lambda: vgg(*VGG9, width=0.25),
    "vgg-bc": lambda: vgg(((128, 2), (256, 2), (512, 2)), (1024, 1024)),
    "resnet56": resnet,
    "wrn56-2": lambda: resnet(2),
    "vgg-bc-eighth": lambda: vgg(((16, 2), (32, 2), (64, 2)), (128, 128)),
    "resnet8-half": lambda: resnet(1, 1, 0.5),
    "wrn8-half": lambda: resnet(2, 1, 0.5),
}
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def main():
    net, batch, threads, device, precision = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    made = {}

    def build(mode):
        layout, _, compiled = mode.partition("+")
        model = NETS[net]().to(device, memory_format=LAYOUTS[layout])
        x = torch.randn(batch, 3, 32, 32, device=device).contiguous(memory_format=LAYOUTS[layout])
        try:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
        except (RuntimeError, TypeError):  # older than fused Adam on this device
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        if compiled:
            model = torch.compile(model, mode=compiled if compiled != "compiled" else None)
        return model, optimizer, x, torch.randint(0, 10, (batch,), device=device)

    def step(model, optimizer, x, y):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
            out = model(x)
        F.cross_entropy(out.float(), y).backward()
        optimizer.step()

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    def measure(steps, repeats, *args):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            for _ in range(steps):
                step(*args)
            wait()
            times.append((time.perf_counter() - start) / steps)
        return times

    parameters = {n: sum(p.numel() for p in NETS[n]().parameters()) for n in (NETS if net == "all" else [net])}
    print(json.dumps({"version": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else device, "parameters": parameters}), flush=True)
    for line in sys.stdin:
        mode, steps, repeats = line.split()
        try:
            if mode not in made:
                for other in [m for m in made if "+" not in m]:  # one mode's memory at a time, but for what took a minute to compile
                    del made[other]
                made[mode] = build(mode)
            model, optimizer, x, y = made[mode]
            times = measure(int(steps), int(repeats), model, optimizer, x, y)
        except Exception as e:  # a mode that does not run here is no mode of this machine's
            print(json.dumps({"seconds": [], "error": f"{type(e).__name__}: {e}".splitlines()[0]}), flush=True)
            continue
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({"seconds": times, "peak_rss_bytes": rss}), flush=True)


if __name__ == "__main__":
    main()
