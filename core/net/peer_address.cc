// Part of uproar_net.
