"""Networks whose weights no package carries: the user brings a safetensors file."""

from collections.abc import Mapping

from torch import Tensor, nn

from stages.base.training.pretrained import BadWeights

_COUNTER = "num_batches_tracked"  # of batch norms: no weight


def load_into_network(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give a network its weights, and freeze it in evaluation mode.

    Args:
        network: a network of the weights' architecture.
        tensors: of the user's file, by name; those that the network does not have are left out.
        name: of the architecture.

    Raises:
        BadWeights: a tensor is missing or has another shape: the file is of another network.
    """
    wanted = {key: t for key, t in network.state_dict().items() if not key.endswith(_COUNTER)}
    for key, value in wanted.items():
        found = tuple(tensors[key].shape) if key in tensors else "none"
        if found != tuple(value.shape):
            expected = f"expected {key} of shape {tuple(value.shape)}, found {found}"
            raise BadWeights(f"weights of {name}", expected, "name the file of another network")
    network.load_state_dict({key: tensors[key] for key in wanted}, strict=False)
    network.eval().requires_grad_(requires_grad=False)
