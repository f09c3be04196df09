from spiritlm_cli.training.epochs import Epochs


def test_epochs_have_each_document_once() -> None:
    document_of = Epochs(10, seed=1, name="text")
    epochs = [[document_of(10 * epoch + i) for i in range(10)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_epochs_depend_on_seed_and_name_alone() -> None:
    orders = [
        [Epochs(10, seed=seed, name=name)(i) for i in range(10)]
        for seed, name in ((1, "a"), (1, "a"), (1, "b"), (2, "a"))
    ]
    assert orders[0] == orders[1]
    assert orders[0] not in orders[2:]
    mixed = Epochs(10, seed=1, name="a")
    assert [[mixed(n), mixed(n + 50)][0] for n in range(10)] == orders[0]
