// A throw-away.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/clientidentity/operator/test/controlplane"
	"github.com/clientidentity/operator/test/operator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t := time.Now()
	cp, err := controlplane.Start(ctx, controlplane.Options{Progress: func(f string, a ...any) { fmt.Printf(f+"\n", a...) }})
	if err != nil {
		panic(err)
	}
	defer cp.Stop()
	fmt.Println("up", time.Since(t))
	if err := operator.Install(ctx, cp); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("installed", time.Since(t))
	conn, err := operator.Connection(ctx, cp)
	if err != nil {
		panic(err)
	}
	operator.WriteKubeconfig("/tmp/op.kubeconfig", conn)
	fmt.Println("kubeconfig", cp.Kubeconfig(), cp.Dir())
	<-ctx.Done()
}
